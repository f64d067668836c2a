import { join } from 'node:path';
import { parseJson, systemClock } from '@tidemark/core';
import { ask } from './ask.ts';
import { authority } from './connection.ts';
import { untilInterrupted } from './interrupt.ts';
import { metricsOption } from './options.ts';
import { Platform } from './platform.ts';
import { type OutputOptions, printJson } from './progress.ts';
import { Publisher } from './publisher.ts';
import { OWN_NAME, readSecret, secretPath } from './secrets.ts';
import { loadSettings, settingsFile } from './settings.ts';
import { runSensors } from './simulate.ts';
import { runTravellers } from './travellers/simulate.ts';

const prefix = 'greenhouse';
const seed = 1;
const maxInFlight = 500;
/** Node-RED listens within half a second; what is printed does not wait for one that does not. */
const flowsWaitMs = 5000;

/** With the demo's seed, the first sensor breaks it within half a minute, and no longer does a minute later. */
const rule = {
  id: 'demo-humid',
  metric: 'humidity',
  sensors: `${prefix}-1`,
  above: 53.5,
  clear: 52,
  for: '5s',
  message: 'the air at {sensor} is humid: {value} %',
};

const place = { id: 'greenhouse', name: 'Greenhouse', latitude: 48.8436, longitude: 2.3594 };
/** Two cameras, which see somebody most of the time. */
const street = { cameras: 2, travellers: 360, frameMs: 1000, rate: 1000 };
/** Sensors that are registered beforehand; the others register themselves. */
const maxPlaced = 100;

export interface DemoOptions extends OutputOptions {
  config?: string;
  dataDir?: string;
  mqttPort?: number;
  httpPort?: number;
  flowsPort?: number;
  sensors: number;
  rate: number;
}

/** Runs the platform on the embedded store, and simulated sensors that publish to it over MQTT, until Ctrl-C. */
export async function demo(options: DemoOptions): Promise<void> {
  const startedMs = performance.now();
  const config = demoSettings(options);
  const platform = new Platform({ config, configFile: settingsFile({ file: options.config }) });
  await untilInterrupted(async (signal) => {
    const { mqttPort, httpPort } = await platform.start();
    try {
      const address: DemoAddress = {
        mqttUrl: `mqtt://${authority(config.host, mqttPort)}`,
        httpUrl: `http://${authority(config.host, httpPort)}`,
        dataDir: config.dataDir,
        password: readSecret(config.dataDir, 'mqtt-password'),
      };
      await addRule(address);
      await addPlaces(address, options);
      const publisher = createPublisher(address);
      await publisher.start();
      try {
        const readyMs = Math.round(performance.now() - startedMs);
        const flowsPort = await platform.flowsPort(flowsWaitMs);
        const flowsUrl = flowsPort && `http://${authority(config.host, flowsPort)}`;
        announce({ options, address, readyMs, flowsUrl: flowsUrl || undefined });
        const { sensors, rate } = options;
        const metrics = metricsOption('temperature,humidity,pressure');
        const shared = { seed, publisher, clock: systemClock, signal };
        await Promise.all([
          runSensors({ ...shared, sensors, rate, metrics, prefix }),
          ...(sensors > 0 ? [runTravellers({ ...shared, ...street, counts: { positions: 0 } })] : []),
        ]);
      } finally {
        await publisher.stop();
      }
    } finally {
      await platform.stop();
    }
  });
}

interface DemoAddress {
  mqttUrl: string;
  httpUrl: string;
  dataDir: string;
  password: string | undefined;
}

/** The settings as for `serve`, but its own data folder, the embedded store, and no chatter between the lines. */
function demoSettings({ config: file, dataDir, mqttPort, httpPort, flowsPort }: DemoOptions) {
  const base = loadSettings({ file });
  return loadSettings({
    file,
    overrides: {
      dataDir: dataDir ?? join(base.dataDir, 'demo'),
      logLevel: base.logLevel === 'info' ? 'warn' : base.logLevel,
      'store.kind': 'embedded',
      'mqtt.port': mqttPort,
      'http.port': httpPort,
      'flows.port': flowsPort,
    },
  });
}

function createPublisher({ mqttUrl, password }: DemoAddress): Publisher {
  const username = password === undefined ? undefined : OWN_NAME;
  return new Publisher({ connection: { url: mqttUrl, username, password }, qos: 1, maxInFlight });
}

/** Makes the demo's rule, unless it is there; who deletes it sees it again after the next start. */
async function addRule({ httpUrl, dataDir }: DemoAddress): Promise<void> {
  const connection = { url: httpUrl, token: readSecret(dataDir, 'api-token') };
  const known = parseJson(await ask(connection, { path: 'rules', parameters: { limit: 1000 } }));
  if ((known as { items: { id: string }[] }).items.some(({ id }) => id === rule.id)) return;
  const parameters = { unknownMetric: 'allow' };
  await ask(connection, { method: 'POST', path: 'rules', parameters, body: rule });
}

/** Puts the first sensors into a greenhouse with coordinates, once, so that maps and silences have something to show. */
async function addPlaces({ httpUrl, dataDir }: DemoAddress, { sensors, rate }: DemoOptions): Promise<void> {
  const connection = { url: httpUrl, token: readSecret(dataDir, 'api-token') };
  const known = parseJson(await ask(connection, { path: 'locations', parameters: { limit: 1000 } }));
  if ((known as { items: { id: string }[] }).items.some(({ id }) => id === place.id)) return;
  const expectedInterval = `${Math.max(1, Math.ceil(1 / rate))}s`;
  const ids = Array.from({ length: Math.min(sensors, maxPlaced) }, (_, n) => `${prefix}-${n + 1}`);
  const body = {
    locations: [place],
    sensors: ids.map((id) => ({ id, location: place.id, expectedInterval })),
  };
  await ask(connection, { method: 'POST', path: 'registry/import', parameters: {}, body });
}

function announce({
  options,
  address,
  readyMs,
  flowsUrl,
}: {
  options: DemoOptions;
  address: DemoAddress;
  readyMs: number;
  flowsUrl: string | undefined;
}) {
  const { mqttUrl, httpUrl, dataDir, password } = address;
  if (options.json) {
    const { sensors } = options;
    return printJson({ event: 'ready', readyMs, mqttUrl, httpUrl, flowsUrl, dataDir, sensors });
  }
  if (options.quiet) return;
  const { hostname, port } = new URL(mqttUrl);
  const secret = `"$(cat ${secretPath(dataDir, 'mqtt-password')})"`;
  const [ourLogin, theirLogin] =
    password === undefined
      ? ['', '']
      : [` --username ${OWN_NAME} --password ${secret}`, ` -u ${OWN_NAME} -P ${secret}`];
  process.stdout.write(`ready in ${readyMs} ms

  page       ${httpUrl}/
  alerts     ${httpUrl}/#/alerts, where a rule about humid air fires within half a minute
  API        ${httpUrl}/docs
  MQTT       ${mqttUrl}
  flows      ${flowsUrl === undefined ? 'not running; /health says why' : `${flowsUrl}/`}
  data       ${dataDir}
  sensors    ${options.sensors} simulated, ${options.rate} readings a second each

Publish one of your own:
  npx tidemark publish --url ${mqttUrl}${ourLogin} sensors/kitchen/temperature 21.5
  mosquitto_pub -h ${hostname} -p ${port}${theirLogin} -q 1 -t sensors/kitchen/temperature -m 21.5

Ctrl-C stops it.
`);
}
