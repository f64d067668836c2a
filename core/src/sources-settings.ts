import { z } from 'zod';

const count = z.coerce.number().int().min(1);
const list = <Item extends string>(item: z.ZodType<Item>) =>
  z.preprocess(
    (value) => (typeof value === 'string' ? value.split(',').map((part) => part.trim()) : value),
    z.array(item),
  );
const milliseconds = z.coerce.number().int().min(1);

/** Settings of the TCP gateway for devices that speak lines. */
export const linesSchema = z.strictObject({
  port: z
    .union([z.literal('off'), z.coerce.number().int().min(0).max(65535)])
    .default('off')
    .describe('TCP gateway that takes readings line by line; 0 picks a free port')
    .meta({ env: 'TIDEMARK_LINES_PORT' }),
  maxLineBytes: count
    .min(64)
    .default(64 * 1024)
    .describe('Longest line that is taken; longer ones are refused')
    .meta({ env: 'TIDEMARK_LINES_MAX_LINE_BYTES' }),
  maxConnections: count
    .default(10_000)
    .describe('Most connections at a time; more are closed at once')
    .meta({ env: 'TIDEMARK_LINES_MAX_CONNECTIONS' }),
  maxUnanswered: count
    .default(1000)
    .describe('Most lines of one connection that wait for their answer; then no more is read from it')
    .meta({ env: 'TIDEMARK_LINES_MAX_UNANSWERED' }),
  idleMs: milliseconds
    .default(600_000)
    .describe('How long a connection may send nothing, or take no answers, before it is closed')
    .meta({ env: 'TIDEMARK_LINES_IDLE_MS' }),
  tlsCert: z
    .string()
    .default('')
    .describe('File with the certificate chain (PEM) that the gateway shows; empty: no TLS')
    .meta({ env: 'TIDEMARK_LINES_TLS_CERT' }),
  tlsKey: z
    .string()
    .default('')
    .describe('File with its private key (PEM)')
    .meta({ env: 'TIDEMARK_LINES_TLS_KEY' }),
});

/** MQTT 5 section 4.7: `#` is the last level, wildcards are whole levels. */
const topicFilter = z
  .string()
  .max(1024)
  .regex(/^(?:(?:\+|[^+#/\0]*)\/)*(?:#|\+|[^+#/\0]*)$/, 'is no MQTT topic filter')
  .refine(
    (filter) => filter !== '' && !filter.startsWith('$share/'),
    'must be a filter; the group is `externalMqtt.group`',
  );

/** Settings of the MQTT broker elsewhere that readings are taken from. */
export const externalMqttSchema = z.strictObject({
  url: z
    .union([z.literal(''), z.url({ protocol: /^mqtts?$/ })])
    .default('')
    .describe('MQTT broker to take readings from, as `mqtts://user:password@host:8883`; empty: none')
    .meta({ env: 'TIDEMARK_MQTT_URL' }),
  version: z
    .enum(['5', '3.1.1'])
    .default('5')
    .describe('Version of MQTT that is spoken with it')
    .meta({ env: 'TIDEMARK_MQTT_VERSION' }),
  topics: list(topicFilter)
    .default([])
    .describe('Topic filters to subscribe to; by default all that hold readings')
    .meta({ env: 'TIDEMARK_MQTT_TOPICS' }),
  group: z
    .string()
    .max(128)
    .regex(/^[^/+#]*$/, 'may not hold / + #')
    .default('')
    .describe('Group of a shared subscription, in which each message goes to one replica; empty: not shared')
    .meta({ env: 'TIDEMARK_MQTT_SHARED_GROUP' }),
  clientId: z
    .string()
    .max(1024)
    .default('')
    .describe('Client id, another for each replica; empty: one that is made once and kept in the data folder')
    .meta({ env: 'TIDEMARK_MQTT_CLIENT_ID' }),
  qos: z.coerce
    .number()
    .int()
    .min(1)
    .max(2)
    .default(1)
    .describe('QoS of the subscriptions; a message comes with its own when that is less')
    .meta({ env: 'TIDEMARK_MQTT_QOS' }),
  maxUnacknowledged: count
    .max(65_535)
    .default(1000)
    .describe('Most messages that wait for their acknowledgement; over 1024, a redelivery may not be known')
    .meta({ env: 'TIDEMARK_MQTT_MAX_UNACKNOWLEDGED' }),
  sessionExpiryMs: milliseconds
    .min(1000)
    .default(7 * 24 * 3600 * 1000)
    .describe('How long the broker is asked to keep messages while the platform is away (MQTT 5)')
    .meta({ env: 'TIDEMARK_MQTT_CLIENT_SESSION_EXPIRY_MS' }),
});

/** Settings of the consumer of Kafka. */
export const kafkaSchema = z.strictObject({
  brokers: list(z.string().regex(/^[^/@\s]+:\d+$/, 'must be HOST:PORT'))
    .default([])
    .describe('Kafka brokers to begin with, as `kafka-1:9092,kafka-2:9092`; empty: none')
    .meta({ env: 'TIDEMARK_KAFKA_BROKERS' }),
  topics: list(z.string().regex(/^[\w.-]{1,249}(?:=[^+#]+)?$/, 'must be TOPIC, or TOPIC=TOPIC-OF-MQTT'))
    .default(['readings', 'travellers=travellers/{key}'])
    .describe(
      'Topics, each with the topic that MQTT would have for its records (`{key}`, `{topic}`); without one they hold flat readings',
    )
    .meta({ env: 'TIDEMARK_KAFKA_TOPICS' }),
  groupId: z
    .string()
    .min(1)
    .max(249)
    .default('tidemark')
    .describe('Consumer group, the same for all replicas')
    .meta({ env: 'TIDEMARK_KAFKA_GROUP' }),
  maxUnacknowledged: count
    .default(5000)
    .describe('Most records that wait to be durable; then no more are read')
    .meta({ env: 'TIDEMARK_KAFKA_MAX_UNACKNOWLEDGED' }),
  tls: z
    .union([z.boolean(), z.stringbool()])
    .default(false)
    .describe('Whether the brokers speak TLS')
    .meta({ env: 'TIDEMARK_KAFKA_TLS' }),
  saslMechanism: z
    .enum(['none', 'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])
    .default('none')
    .describe('How the brokers ask for user name and password')
    .meta({ env: 'TIDEMARK_KAFKA_SASL_MECHANISM' }),
  username: z.string().default('').describe('User name for them').meta({ env: 'TIDEMARK_KAFKA_USERNAME' }),
  password: z.string().default('').describe('Password for them').meta({ env: 'TIDEMARK_KAFKA_PASSWORD' }),
});
