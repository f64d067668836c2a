import { z } from 'zod';
import { channelsSchema } from './channels.ts';
import { derivedSchema } from './derived.ts';
import { downsampleWidths } from './downsample.ts';
import { type Issue, TidemarkError } from './errors.ts';
import { flowsSchema, roles, rolesProblem } from './flows-settings.ts';
import { mappingsSchema } from './mappings.ts';
import { parseMaxAge } from './max-age.ts';
import { qualityChecks } from './ports.ts';
import { externalMqttSchema, kafkaSchema, linesSchema } from './sources-settings.ts';
import { travellersSchema } from './travellers-settings.ts';
import { readYaml } from './yaml.ts';

const port = z.coerce.number().int().min(0).max(65535);
const count = z.coerce.number().int().min(1);
const bytes = z.coerce.number().int().min(1);
const milliseconds = z.coerce.number().int().min(1);
const list = <Item extends string>(item: z.ZodType<Item>) =>
  z.preprocess(
    (value) => (typeof value === 'string' ? value.split(',').map((part) => part.trim()) : value),
    z.array(item),
  );
const maxAge = z
  .string()
  .refine(
    (text) => parseMaxAge(text) !== undefined,
    'must be MEASUREMENT=AGE of a day or more, as readings=365d',
  );
const limitOfMetric = z.string().regex(/^[^=]+=\d+(\.\d+)?$/, 'must be METRIC=NUMBER');

/**
 * The whole configuration: one schema for YAML and environment, with its defaults, units and docs.
 * A setting's environment variable is named by `.meta({ env })`; YAML nests as the schema does.
 */
export const configSchema = z.strictObject({
  host: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address that every listener binds to')
    .meta({ env: 'TIDEMARK_HOST' }),
  dataDir: z
    .string()
    .min(1)
    .default('./data')
    .describe('Folder of the spool, the embedded store, meta.db and secrets')
    .meta({ env: 'TIDEMARK_DATA_DIR' }),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('Least severe level that is logged')
    .meta({ env: 'TIDEMARK_LOG_LEVEL' }),
  roles: list(z.enum(roles))
    .default([...roles])
    .describe('What this process runs: all of it, all but flows, or flows alone')
    .meta({ env: 'TIDEMARK_ROLES' }),
  flows: flowsSchema.prefault({}),
  mqtt: z
    .strictObject({
      port: port
        .default(1883)
        .describe('MQTT over TCP; 0 picks a free port')
        .meta({ env: 'TIDEMARK_MQTT_PORT' }),
      maxPacketBytes: bytes
        .default(256 * 1024)
        .describe('Largest MQTT packet that is accepted')
        .meta({ env: 'TIDEMARK_MQTT_MAX_PACKET_BYTES' }),
      maxTopicLevels: count
        .max(100)
        .default(64)
        .describe('Most levels a topic may have')
        .meta({ env: 'TIDEMARK_MQTT_MAX_TOPIC_LEVELS' }),
      maxQueuedMessages: count
        .default(10_000)
        .describe('Most messages that wait for one client, connected or away; more are dropped and counted')
        .meta({ env: 'TIDEMARK_MQTT_MAX_QUEUED_MESSAGES' }),
      maxQueuedBytes: bytes
        .default(16 * 1024 * 1024)
        .describe('Most bytes of messages that wait for one client')
        .meta({ env: 'TIDEMARK_MQTT_MAX_QUEUED_BYTES' }),
      sessionExpiryMs: milliseconds
        .min(1000)
        .default(7 * 24 * 3600 * 1000)
        .describe('Longest that a session is kept for a client that is away')
        .meta({ env: 'TIDEMARK_MQTT_SESSION_EXPIRY_MS' }),
      maxAwaySessions: count
        .default(100_000)
        .describe('Most sessions kept for clients that are away; the one away longest is ended first')
        .meta({ env: 'TIDEMARK_MQTT_MAX_AWAY_SESSIONS' }),
      maxRetainedMessages: count
        .default(100_000)
        .describe('Most topics with a retained message; more are delivered but not retained')
        .meta({ env: 'TIDEMARK_MQTT_MAX_RETAINED_MESSAGES' }),
      sysIntervalMs: milliseconds
        .min(100)
        .default(10_000)
        .describe('How often $SYS topics are told')
        .meta({ env: 'TIDEMARK_MQTT_SYS_INTERVAL_MS' }),
    })
    .prefault({}),
  http: z
    .strictObject({
      port: port
        .default(8080)
        .describe('API, page, metrics and MQTT over WebSocket; 0 picks a free port')
        .meta({ env: 'TIDEMARK_HTTP_PORT' }),
      maxBodyBytes: bytes
        .default(64 * 1024 * 1024)
        .describe('Largest request body, after decompression')
        .meta({ env: 'TIDEMARK_HTTP_MAX_BODY_BYTES' }),
      maxImportBytes: bytes
        .default(16 * 1024 * 1024 * 1024)
        .describe('Largest file that one request may import, after decompression')
        .meta({ env: 'TIDEMARK_HTTP_MAX_IMPORT_BYTES' }),
      allowedHosts: list(z.string().min(1))
        .default([])
        .describe('Host names besides localhost and the bound address that requests may name')
        .meta({ env: 'TIDEMARK_ALLOWED_HOSTS' }),
    })
    .prefault({}),
  grpc: z
    .strictObject({
      port: port
        .default(50_051)
        .describe(
          'gRPC, with reflection and health; 0 picks a free port, and so does 0 for both MQTT and HTTP unless this is set',
        )
        .meta({ env: 'TIDEMARK_GRPC_PORT' }),
      maxMessageBytes: bytes
        .default(4 * 1024 * 1024)
        .describe('Largest gRPC message that is accepted')
        .meta({ env: 'TIDEMARK_GRPC_MAX_MESSAGE_BYTES' }),
      tlsCert: z
        .string()
        .default('')
        .describe('File with the certificate chain (PEM) that gRPC shows; empty: no TLS')
        .meta({ env: 'TIDEMARK_GRPC_TLS_CERT' }),
      tlsKey: z
        .string()
        .default('')
        .describe('File with its private key (PEM)')
        .meta({ env: 'TIDEMARK_GRPC_TLS_KEY' }),
    })
    .prefault({}),
  heartbeats: z
    .strictObject({
      timeoutMs: milliseconds
        .min(1000)
        .default(60_000)
        .describe('How long a service that sends heartbeats may be silent, unless it says so itself')
        .meta({ env: 'TIDEMARK_HEARTBEATS_TIMEOUT_MS' }),
      checks: list(
        z
          .string()
          .regex(
            /^[^=/+#]{1,128}=(tcp|https?|grpcs?):\/\/[^/]+/,
            'must be NAME=URL with tcp://host:port, http://…, https://…, grpc://host:port or grpcs://host:port',
          ),
      )
        .default([])
        .describe('Addresses that are looked at, as `grafana=http://127.0.0.1:3000/api/health`')
        .meta({ env: 'TIDEMARK_HEARTBEATS_CHECKS' }),
      everyMs: milliseconds
        .min(1000)
        .default(15_000)
        .describe('How often addresses and the parts of the platform are looked at')
        .meta({ env: 'TIDEMARK_HEARTBEATS_EVERY_MS' }),
      notify: list(z.string().min(1))
        .default([])
        .describe('Channels that are notified when a service goes down and when it is back')
        .meta({ env: 'TIDEMARK_HEARTBEATS_NOTIFY' }),
      maxServices: count
        .max(100_000)
        .default(1000)
        .describe('Most services that are watched')
        .meta({ env: 'TIDEMARK_HEARTBEATS_MAX_SERVICES' }),
    })
    .prefault({}),
  lines: linesSchema.prefault({}),
  externalMqtt: externalMqttSchema.prefault({}),
  kafka: kafkaSchema.prefault({}),
  ingest: z
    .strictObject({
      maxReadingsPerMessage: count
        .default(1000)
        .describe('Most readings in one MQTT message')
        .meta({ env: 'TIDEMARK_MAX_READINGS_PER_MESSAGE' }),
      maxFieldsPerReading: count
        .default(64)
        .describe('Most values in one reading')
        .meta({ env: 'TIDEMARK_MAX_FIELDS_PER_READING' }),
      maxFutureMs: milliseconds
        .default(24 * 3600 * 1000)
        .describe('How far ahead of the clock a time may be')
        .meta({ env: 'TIDEMARK_MAX_FUTURE_MS' }),
      batchPoints: count
        .default(50_000)
        .describe('Points that make a batch for the store')
        .meta({ env: 'TIDEMARK_BATCH_POINTS' }),
      batchBytes: bytes
        .default(4 * 1024 * 1024)
        .describe('Spooled bytes that make a batch for the store')
        .meta({ env: 'TIDEMARK_BATCH_BYTES' }),
      batchAgeMs: milliseconds
        .default(100)
        .describe('Longest that a point waits for its batch')
        .meta({ env: 'TIDEMARK_BATCH_AGE_MS' }),
    })
    .prefault({}),
  sparkplug: z
    .strictObject({
      maxMetrics: count
        .default(1_000_000)
        .describe(
          'Most metrics of Sparkplug births that are remembered, some 200 bytes each; then the nodes born longest ago go',
        )
        .meta({ env: 'TIDEMARK_SPARKPLUG_MAX_METRICS' }),
      rebirthEveryMs: milliseconds
        .default(30_000)
        .describe('Least time between two requests to one edge node to send its births again')
        .meta({ env: 'TIDEMARK_SPARKPLUG_REBIRTH_EVERY_MS' }),
    })
    .prefault({}),
  mappings: mappingsSchema
    .default([])
    .describe('How topics of other programs are read, as docs/connect.md says; first match wins'),
  mapping: z
    .strictObject({
      expressionTimeoutMs: milliseconds
        .max(10_000)
        .default(1000)
        .describe("Longest that a mapping's expression may take for one message, which is refused then")
        .meta({ env: 'TIDEMARK_EXPRESSION_TIMEOUT_MS' }),
      expressionMemoryBytes: bytes
        .min(16 * 1024 * 1024)
        .default(64 * 1024 * 1024)
        .describe("Memory that a mapping's expression may take")
        .meta({ env: 'TIDEMARK_EXPRESSION_MEMORY_BYTES' }),
      maxWaiting: count
        .default(1000)
        .describe("Messages that wait for one mapping's expression; then publishers are held back")
        .meta({ env: 'TIDEMARK_MAX_WAITING_FOR_EXPRESSION' }),
    })
    .prefault({}),
  registry: z
    .strictObject({
      mode: z
        .enum(['open', 'strict'])
        .default('open')
        .describe('`open`: unknown sensors register themselves; `strict`: they are quarantined')
        .meta({ env: 'TIDEMARK_REGISTRY_MODE' }),
      maxSensors: count
        .default(100_000)
        .describe('Most sensors that are registered')
        .meta({ env: 'TIDEMARK_MAX_SENSORS' }),
      maxNewSensorsPerMinute: count
        .default(100_000)
        .describe('Most sensors that register themselves within a minute')
        .meta({ env: 'TIDEMARK_MAX_NEW_SENSORS_PER_MINUTE' }),
      maxMetricsPerSensor: count
        .max(10_000)
        .default(1000)
        .describe('Most metrics that one sensor has')
        .meta({ env: 'TIDEMARK_MAX_METRICS_PER_SENSOR' }),
    })
    .prefault({}),
  travellers: travellersSchema.prefault({}),
  lateness: z
    .strictObject({
      allowedMs: milliseconds
        .default(60_000)
        .describe('How far a reading may be behind the newest of its sensor before it counts as late')
        .meta({ env: 'TIDEMARK_ALLOWED_LATENESS_MS' }),
      skewMs: milliseconds
        .default(3600 * 1000)
        .describe("How far a reading's own time may be from the clock before it counts as off")
        .meta({ env: 'TIDEMARK_SKEW_MS' }),
    })
    .prefault({}),
  quality: z
    .strictObject({
      checks: list(z.enum(qualityChecks))
        .default([...qualityChecks])
        .describe('Checks that are made of readings and sensors; leave out those that are not wanted')
        .meta({ env: 'TIDEMARK_QUALITY_CHECKS' }),
      jumps: list(limitOfMetric)
        .default([])
        .describe(
          '`jump`: for each metric the largest change between two readings in a row, as `temperature=10`',
        )
        .meta({ env: 'TIDEMARK_QUALITY_JUMPS' }),
      jumpWithinMs: milliseconds
        .default(10 * 60_000)
        .describe('`jump`: two readings that are further apart are not compared')
        .meta({ env: 'TIDEMARK_QUALITY_JUMP_WITHIN_MS' }),
      stuck: list(limitOfMetric)
        .default([])
        .describe('`stuck`: for each metric how many ms a value may stay the same, as `temperature=3600000`')
        .meta({ env: 'TIDEMARK_QUALITY_STUCK' }),
      silentIntervals: count
        .default(3)
        .describe('`silence`: expected intervals of a sensor that may pass without a reading')
        .meta({ env: 'TIDEMARK_QUALITY_SILENT_INTERVALS' }),
      maxSensors: count
        .min(100)
        .default(100_000)
        .describe('Sensors whose last readings are remembered; those that have not reported for longest go')
        .meta({ env: 'TIDEMARK_QUALITY_MAX_SENSORS' }),
      incidentChecks: list(z.enum(qualityChecks))
        .default(['latitude', 'longitude', 'range', 'jump', 'stuck', 'clock', 'silence'])
        .describe('Checks whose failures make an incident of a sensor; refused readings always count')
        .meta({ env: 'TIDEMARK_QUALITY_INCIDENT_CHECKS' }),
      incidentFailures: count
        .max(1000)
        .default(5)
        .describe('Failures of one sensor that make an incident')
        .meta({ env: 'TIDEMARK_QUALITY_INCIDENT_FAILURES' }),
      incidentWithinMs: milliseconds
        .default(10 * 60_000)
        .describe('Time within which they make one')
        .meta({ env: 'TIDEMARK_QUALITY_INCIDENT_WITHIN_MS' }),
      incidentRecoveryMs: milliseconds
        .default(10 * 60_000)
        .describe('Time without a failure, but with readings, that ends an incident')
        .meta({ env: 'TIDEMARK_QUALITY_INCIDENT_RECOVERY_MS' }),
    })
    .prefault({}),
  spool: z
    .strictObject({
      segmentBytes: bytes
        .min(64 * 1024)
        .default(64 * 1024 * 1024)
        .describe('Size at which a segment is closed and the next begun')
        .meta({ env: 'TIDEMARK_SPOOL_SEGMENT_BYTES' }),
      maxBytes: bytes
        .min(1024 * 1024)
        .default(16 * 1024 * 1024 * 1024)
        .describe('Disk the spool may use before publishers are held back')
        .meta({ env: 'TIDEMARK_SPOOL_MAX_BYTES' }),
    })
    .prefault({}),
  quarantine: z
    .strictObject({
      maxItems: count
        .default(100_000)
        .describe('Refused items that are kept; then the oldest go')
        .meta({ env: 'TIDEMARK_QUARANTINE_MAX_ITEMS' }),
      maxBytes: bytes
        .default(1024 * 1024 * 1024)
        .describe('Payloads of refused items that are kept; then the oldest go')
        .meta({ env: 'TIDEMARK_QUARANTINE_MAX_BYTES' }),
      maxAgeMs: z.coerce
        .number()
        .int()
        .min(0)
        .default(0)
        .describe('How long a refused item is kept; 0 sets no such bound')
        .meta({ env: 'TIDEMARK_QUARANTINE_MAX_AGE_MS' }),
    })
    .prefault({}),
  audit: z
    .strictObject({
      maxEntries: count
        .default(100_000)
        .describe('Lines of the audit log that are kept; then the oldest go')
        .meta({ env: 'TIDEMARK_AUDIT_MAX_ENTRIES' }),
    })
    .prefault({}),
  store: z
    .strictObject({
      kind: z
        .enum(['embedded', 'influxdb'])
        .default('embedded')
        .describe('Where points are kept')
        .meta({ env: 'TIDEMARK_STORE' }),
      memoryBytes: bytes
        .min(64 * 1024 * 1024)
        .default(512 * 1024 * 1024)
        .describe('Memory the embedded store may use')
        .meta({ env: 'TIDEMARK_STORE_MEMORY_BYTES' }),
      maxSeries: count
        .default(1_000_000)
        .describe(
          'Most series of the embedded store, some 500 bytes of memory each; points of more are refused',
        )
        .meta({ env: 'TIDEMARK_STORE_MAX_SERIES' }),
      typePolicy: z
        .enum(['quarantine', 'pin', 'coerce'])
        .default('quarantine')
        .describe('Values of another type than their field: refused, numbers converted, or all (see MQTT)')
        .meta({ env: 'TIDEMARK_STORE_TYPE_POLICY' }),
    })
    .prefault({}),
  retention: z
    .strictObject({
      maxAge: list(maxAge)
        .default([])
        .describe(
          'How long the points of a measurement are kept, as `readings=365d`; `*` is every other one; for ever unless set',
        )
        .meta({ env: 'TIDEMARK_RETENTION_MAX_AGE' }),
      maxBytes: z.coerce
        .number()
        .int()
        .min(0)
        .default(0)
        .describe('Disk that points of the embedded store may take; then the oldest go; 0 sets no such bound')
        .meta({ env: 'TIDEMARK_RETENTION_MAX_BYTES' }),
      everyMs: milliseconds
        .min(1000)
        .default(600_000)
        .describe('How often it is looked for what is to go')
        .meta({ env: 'TIDEMARK_RETENTION_EVERY_MS' }),
    })
    .prefault({}),
  downsample: z
    .strictObject({
      every: list(z.enum(downsampleWidths))
        .default([])
        .describe('Widths of windows that readings are summed up in: `1h` makes measurement `readings_1h`')
        .meta({ env: 'TIDEMARK_DOWNSAMPLE_EVERY' }),
    })
    .prefault({}),
  derived: derivedSchema
    .default([])
    .describe('Metrics that are computed from others of the same sensor, as docs/derived.md says'),
  derivation: z
    .strictObject({
      maxSeries: count
        .default(100_000)
        .describe('Sensors, for each derived rate, counter or speed, whose newest readings are in memory')
        .meta({ env: 'TIDEMARK_DERIVATION_MAX_SERIES' }),
    })
    .prefault({}),
  alerts: z
    .strictObject({
      maxRules: count.max(100_000).default(10_000).describe('Most rules').meta({ env: 'TIDEMARK_MAX_RULES' }),
      maxSeries: count
        .default(1_000_000)
        .describe('Most sensors under all rules together that are evaluated, some 200 bytes of memory each')
        .meta({ env: 'TIDEMARK_MAX_ALERT_SERIES' }),
      maxTransitions: count
        .min(1000)
        .default(100_000)
        .describe('Changes of alerts that are kept to be told and listed; then the oldest go')
        .meta({ env: 'TIDEMARK_MAX_ALERT_TRANSITIONS' }),
      maxExternal: count
        .max(100_000)
        .default(10_000)
        .describe('Most alerts of Grafana and other programs, those that ended too while there is room')
        .meta({ env: 'TIDEMARK_MAX_EXTERNAL_ALERTS' }),
    })
    .prefault({}),
  rules: z
    .array(z.unknown())
    .max(100_000)
    .default([])
    .describe('Rules, as docs/alerts.md says; read again when the file changes'),
  channels: channelsSchema
    .default({})
    .describe(
      'Where notifications go, by the names that rules give in `notify`, as docs/alerts.md says; read again when the file changes',
    ),
  notifications: z
    .strictObject({
      timeoutMs: milliseconds
        .default(10_000)
        .describe('Longest that one try to deliver a notification may take')
        .meta({ env: 'TIDEMARK_NOTIFICATION_TIMEOUT_MS' }),
      retryMs: milliseconds
        .default(1000)
        .describe('Pause after the first try that failed; it doubles from one to the next, up to an hour')
        .meta({ env: 'TIDEMARK_NOTIFICATION_RETRY_MS' }),
      maxAgeMs: milliseconds
        .default(24 * 3600 * 1000)
        .describe('How long a notification is tried before it goes to the quarantine')
        .meta({ env: 'TIDEMARK_NOTIFICATION_MAX_AGE_MS' }),
      maxWaiting: count
        .default(10_000)
        .describe('Most notifications that wait for one channel; more go to the quarantine')
        .meta({ env: 'TIDEMARK_MAX_WAITING_NOTIFICATIONS' }),
      maxQuarantined: count
        .default(10_000)
        .describe('Notifications in the quarantine that are kept; then the oldest go')
        .meta({ env: 'TIDEMARK_MAX_QUARANTINED_NOTIFICATIONS' }),
      privateHosts: list(z.string().min(1).toLowerCase())
        .default([])
        .describe(
          'Hosts of channels, as their addresses name them, that may be this machine or one of a private network',
        )
        .meta({ env: 'TIDEMARK_NOTIFICATION_PRIVATE_HOSTS' }),
    })
    .prefault({}),
  influx: z
    .strictObject({
      url: z.url().default('http://127.0.0.1:8086').describe('InfluxDB 2 server').meta({ env: 'INFLUX_URL' }),
      token: z
        .string()
        .default('')
        .describe('API token that may read and write the bucket')
        .meta({ env: 'INFLUX_TOKEN' }),
      org: z.string().default('tidemark').describe('Organization').meta({ env: 'INFLUX_ORG' }),
      bucket: z
        .string()
        .min(1)
        .default('tidemark')
        .describe('Bucket, and the name of the InfluxDB 1 database')
        .meta({ env: 'INFLUX_BUCKET' }),
      timeoutMs: milliseconds
        .default(30_000)
        .describe('Longest that one request may take')
        .meta({ env: 'INFLUX_TIMEOUT_MS' }),
    })
    .prefault({}),
});

const checkedSchema = configSchema.superRefine(({ roles, flows }, context) => {
  const problem = rolesProblem(roles);
  if (problem !== undefined) context.addIssue({ code: 'custom', path: ['roles'], message: problem });
  if (problem !== undefined || roles.includes('broker')) return;
  for (const key of ['apiUrl', 'mqttUrl'] as const) {
    if (flows[key] === '')
      context.addIssue({
        code: 'custom',
        path: ['flows', key],
        message: 'must be set where flows run alone',
      });
  }
});

export type Config = z.output<typeof configSchema>;

/** Variables that are no settings of this process but of our commands. */
const otherVariables = [
  'TIDEMARK_CONFIG',
  'TIDEMARK_URL',
  'TIDEMARK_USERNAME',
  'TIDEMARK_PASSWORD',
  'TIDEMARK_TOKEN',
];

interface ConfigSources {
  env?: Record<string, string | undefined>;
  /** Path of a YAML file; one that is named must exist. */
  file?: string | undefined;
  /** Settings given in code or on the command line; they win. */
  overrides?: Record<string, unknown>;
}

/** One setting as the docs list it. */
interface SettingDoc {
  path: string;
  env: string;
  description: string;
}

/** Loads the configuration; throws `config_invalid` that lists every fault with its path. */
export function loadConfig({ env = {}, file, overrides = {} }: ConfigSources = {}): Config {
  const issues: Issue[] = [];
  const tree = file === undefined ? {} : readYaml(file);
  const known = new Map(listSettings().map((setting) => [setting.env, setting.path]));
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || value === '') continue;
    const path = known.get(name);
    if (path !== undefined) setPath(tree, path, value);
    else if (name.startsWith('TIDEMARK_') && !otherVariables.includes(name))
      issues.push({ path: name, message: 'no such setting' });
  }
  for (const [path, value] of Object.entries(overrides)) if (value !== undefined) setPath(tree, path, value);
  followFreePorts(tree);
  const parsed = checkedSchema.safeParse(tree);
  if (!parsed.success) issues.push(...parsed.error.issues.flatMap(toIssues));
  if (issues.length > 0 || !parsed.success) throw invalidConfig(issues);
  return parsed.data;
}

/** Every setting: its YAML path, its environment variable and what it means. */
export function listSettings(): SettingDoc[] {
  return collectSettings(configSchema, []);
}

function collectSettings(schema: z.ZodType, path: string[]): SettingDoc[] {
  const inner = schema instanceof z.ZodPrefault ? (schema.unwrap() as z.ZodType) : schema;
  if (inner instanceof z.ZodObject) {
    return Object.entries(inner.shape).flatMap(([key, child]) =>
      collectSettings(child as z.ZodType, [...path, key]),
    );
  }
  const meta = inner.meta() as { env?: string; description?: string } | undefined;
  if (meta?.env === undefined) return [];
  return [{ path: path.join('.'), env: meta.env, description: meta.description ?? '' }];
}

/** Where MQTT and HTTP get free ports, gRPC and flows do too unless theirs are set: several may run on one machine. */
function followFreePorts(tree: Record<string, unknown>): void {
  const portOf = (part: string): unknown => (tree[part] as { port?: unknown } | undefined | null)?.port;
  if (![portOf('mqtt'), portOf('http')].every((value) => value === 0 || value === '0')) return;
  for (const part of ['grpc', 'flows']) {
    const isSection = typeof (tree[part] ?? {}) === 'object';
    if (isSection && portOf(part) === undefined) setPath(tree, `${part}.port`, 0);
  }
}

function setPath(tree: Record<string, unknown>, path: string, value: unknown): void {
  const keys = path.split('.');
  let node = tree;
  for (const key of keys.slice(0, -1)) {
    const child = node[key];
    if (typeof child !== 'object' || child === null) node[key] = {};
    node = node[key] as Record<string, unknown>;
  }
  node[keys.at(-1)!] = value;
}

function toIssues(issue: z.core.$ZodIssue): Issue[] {
  const path = issue.path.join('.');
  if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }];
  return issue.keys.map((key) => ({
    path: path === '' ? key : `${path}.${key}`,
    message: 'no such setting',
  }));
}

/** `config_invalid` with every fault of the configuration in its message. */
export function invalidConfig(issues: Issue[]): TidemarkError {
  const lines = issues.map(({ path, message }) => `${path}: ${message}`);
  return new TidemarkError(
    'config_invalid',
    `the configuration has ${lines.length === 1 ? 'a fault' : `${lines.length} faults`}: ${lines.join('; ')}`,
    { issues },
  );
}
