import { PROMETHEUS_UID, STORE_UID } from '../targets.ts';
import { fromEnvironment } from './environment.ts';

/** The store, whichever it is: the API of Tidemark on the embedded one, InfluxDB 2 or InfluxDB 3. */
export function storeDataSource() {
  return provisioned({
    name: 'Tidemark',
    uid: STORE_UID,
    type: 'influxdb',
    url: fromEnvironment('TIDEMARK_QUERY_URL'),
    // Grafana 9 asks for the one, later ones for the other.
    database: fromEnvironment('TIDEMARK_QUERY_DATABASE'),
    isDefault: true,
    jsonData: {
      dbName: fromEnvironment('TIDEMARK_QUERY_DATABASE'),
      httpMode: 'GET',
      httpHeaderName1: 'Authorization',
    },
    secureJsonData: { httpHeaderValue1: `Token ${fromEnvironment('TIDEMARK_QUERY_TOKEN')}` },
  });
}

/** What scrapes the platform's metrics. */
export function prometheusDataSource() {
  return provisioned({
    name: 'Prometheus',
    uid: PROMETHEUS_UID,
    type: 'prometheus',
    url: fromEnvironment('TIDEMARK_PROMETHEUS_URL'),
    jsonData: { httpMethod: 'POST', timeInterval: '15s' },
  });
}

function provisioned(source: Record<string, unknown>) {
  return { apiVersion: 1, datasources: [{ orgId: 1, access: 'proxy', editable: false, ...source }] };
}
