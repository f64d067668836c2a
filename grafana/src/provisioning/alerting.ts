import { type DashboardName, uidOf } from '../links.ts';
import { PROMETHEUS_UID, STORE_UID } from '../targets.ts';
import { fromEnvironment } from './environment.ts';

/** Tidemark's webhook leaves out alerts with this label: it has told of them itself. */
const ownLabel = { origin: 'tidemark' };
const CONTACT = 'Tidemark';
const DAY_S = 86_400;

/** UIDs of rules that were provisioned once and are no more: Grafana keeps a provisioned rule until it is told. */
const removedRules: readonly string[] = [];

interface RuleOptions {
  uid: string;
  title: string;
  datasourceUid: string;
  /** A query that yields a series for each thing to tell apart. */
  model: Record<string, unknown>;
  /** How far back it looks. */
  rangeS: number;
  /** Arithmetic over `$B`, each series' last value: fires where it is not 0. */
  fires: string;
  for: string;
  noDataState: 'OK' | 'Alerting';
  summary: string;
  dashboard: DashboardName;
  labels: Record<string, string>;
}

type PlatformRule = Pick<RuleOptions, 'uid' | 'title' | 'fires' | 'for' | 'summary'> &
  Partial<Pick<RuleOptions, 'noDataState'>> & { expr: string };

/** Alerts of Tidemark's own rules, read from what it wrote of them: no threshold is evaluated a second time. */
export function alertsRules() {
  return ruleFile('Tidemark alerts', [
    rule({
      uid: 'tidemark-alert-fires',
      title: 'An alert of Tidemark fires',
      datasourceUid: STORE_UID,
      model: {
        // What Grafana told Tidemark it need not be told again.
        query:
          'SELECT last("firing") FROM "alerts" WHERE $timeFilter AND "rule" !~ /^grafana[.]/ GROUP BY "rule", "sensor"',
        rawQuery: true,
        resultFormat: 'time_series',
      },
      rangeS: 90 * DAY_S,
      fires: '$B > 0',
      for: '0s',
      noDataState: 'OK',
      summary: '{{ .Labels.rule }} fires for {{ .Labels.sensor }}',
      dashboard: 'alerts',
      labels: ownLabel,
    }),
  ]);
}

/** The health of the platform itself, which nobody but Prometheus watches from outside. */
export function platformRules() {
  const watch = ({ expr, ...options }: PlatformRule) => {
    return rule({
      datasourceUid: PROMETHEUS_UID,
      model: { expr, instant: true, range: false },
      rangeS: 600,
      noDataState: 'OK',
      dashboard: 'platform',
      labels: { severity: 'critical' },
      ...options,
    });
  };
  return ruleFile('Tidemark platform', [
    watch({
      noDataState: 'Alerting',
      uid: 'tidemark-down',
      title: 'Tidemark is down',
      expr: 'min(up{job="tidemark"})',
      fires: '$B < 1',
      for: '1m',
      summary: 'Prometheus does not reach Tidemark. Look at its log.',
    }),
    watch({
      uid: 'tidemark-store-behind',
      title: 'The store is behind',
      expr: 'max(tidemark_spool_backlog_age_seconds{cursor="store"})',
      fires: '$B > 300',
      for: '1m',
      summary:
        'Readings wait for the store. None is lost while the spool has room; /health says what is wrong.',
    }),
    watch({
      uid: 'tidemark-spool-fails',
      title: 'The spool cannot be written',
      expr: 'sum(increase(tidemark_spool_write_failures_total[5m])) + sum(increase(tidemark_spool_refused_total[5m]))',
      fires: '$B > 0',
      for: '0s',
      summary: 'Readings are not acknowledged: the disk is full or fails. Devices send them again.',
    }),
    watch({
      uid: 'tidemark-flows-stopped',
      title: 'Flows do not run',
      expr: 'min(tidemark_flows_up)',
      fires: '$B < 1',
      for: '2m',
      summary: 'Node-RED or its flows are stopped: no flow acts. /health says why.',
    }),
    watch({
      uid: 'tidemark-quarantine-full',
      title: 'The quarantine overflows',
      expr: 'sum(increase(tidemark_quarantine_evicted_total[15m]))',
      fires: '$B > 0',
      for: '0s',
      summary: 'Refused messages leave the quarantine before anybody has looked at them.',
    }),
  ]);
}

/** How alerts of people's own rules in Grafana reach Tidemark, where they join the others. */
export function contactPoint() {
  return {
    apiVersion: 1,
    contactPoints: [
      {
        orgId: 1,
        name: CONTACT,
        receivers: [
          {
            uid: 'tidemark-webhook',
            type: 'webhook',
            disableResolveMessage: false,
            settings: {
              url: `${fromEnvironment('TIDEMARK_URL')}/api/v1/alerts/grafana`,
              httpMethod: 'POST',
              authorization_scheme: 'Bearer',
              authorization_credentials: fromEnvironment('TIDEMARK_TOKEN'),
            },
          },
        ],
      },
    ],
  };
}

/** All alerts of Grafana go to Tidemark, which notifies by its own channels. It replaces the whole tree of policies. */
export function policy() {
  return {
    apiVersion: 1,
    policies: [
      {
        orgId: 1,
        receiver: CONTACT,
        group_by: ['grafana_folder', 'alertname'],
        group_wait: '5s',
        group_interval: '1m',
        repeat_interval: '4h',
      },
    ],
  };
}

function ruleFile(name: string, rules: readonly ReturnType<typeof rule>[]) {
  const group = { orgId: 1, name, folder: 'Tidemark', interval: '1m', rules };
  const deleteRules = removedRules.map((uid) => ({ orgId: 1, uid }));
  return { apiVersion: 1, groups: [group], ...(deleteRules.length > 0 && { deleteRules }) };
}

function rule({
  uid,
  title,
  datasourceUid,
  model,
  rangeS,
  fires,
  summary,
  dashboard,
  labels,
  ...rest
}: RuleOptions) {
  const expression = (refId: string, how: Record<string, unknown>) => ({
    refId,
    datasourceUid: '__expr__',
    relativeTimeRange: { from: 0, to: 0 },
    model: { refId, datasource: { type: '__expr__', uid: '__expr__' }, ...how },
  });
  return {
    uid,
    title,
    condition: 'C',
    data: [
      {
        refId: 'A',
        datasourceUid,
        relativeTimeRange: { from: rangeS, to: 0 },
        model: { refId: 'A', ...model },
      },
      expression('B', { type: 'reduce', expression: 'A', reducer: 'last' }),
      expression('C', { type: 'math', expression: fires }),
    ],
    ...rest,
    execErrState: 'Error',
    annotations: { summary, __dashboardUid__: uidOf(dashboard), __panelId__: '1' },
    labels,
  };
}
