import { z } from 'zod';

/** What a process can run. */
export const roles = ['broker', 'ingest', 'alerts', 'api', 'flows'] as const;
export type Role = (typeof roles)[number];

const platformRoles: readonly Role[] = ['broker', 'ingest', 'alerts', 'api'];

/** Settings of Node-RED, which runs in a process of its own. */
export const flowsSchema = z.strictObject({
  port: z.coerce
    .number()
    .int()
    .min(0)
    .max(65535)
    .default(1880)
    .describe(
      "Node-RED's editor and HTTP nodes; 0 picks a free port, and so does 0 for both MQTT and HTTP unless this is set",
    )
    .meta({ env: 'TIDEMARK_FLOWS_PORT' }),
  examples: z
    .union([z.boolean(), z.stringbool()])
    .default(true)
    .describe('Whether the example flows are there when Node-RED starts without any flows')
    .meta({ env: 'TIDEMARK_FLOWS_EXAMPLES' }),
  maxMemoryBytes: z.coerce
    .number()
    .int()
    .min(64 * 1024 * 1024)
    .default(512 * 1024 * 1024)
    .describe('Heap that flows may use; with more they are restarted')
    .meta({ env: 'TIDEMARK_FLOWS_MAX_MEMORY_BYTES' }),
  heartbeatTimeoutMs: z.coerce
    .number()
    .int()
    .min(2000)
    .default(10_000)
    .describe('How long flows may do one thing without a pause before they are restarted')
    .meta({ env: 'TIDEMARK_FLOWS_HEARTBEAT_TIMEOUT_MS' }),
  apiUrl: z
    .union([z.literal(''), z.url({ protocol: /^https?$/ })])
    .default('')
    .describe('HTTP API of the platform that flows work with; by default the one of this process')
    .meta({ env: 'TIDEMARK_FLOWS_API_URL' }),
  mqttUrl: z
    .union([z.literal(''), z.url({ protocol: /^(mqtts?|wss?)$/ })])
    .default('')
    .describe('Its MQTT broker; by default the one of this process')
    .meta({ env: 'TIDEMARK_FLOWS_MQTT_URL' }),
  token: z
    .string()
    .default('')
    .describe('API token for it; by default the one that `tidemark init` created')
    .meta({ env: 'TIDEMARK_FLOWS_TOKEN' }),
  mqttUser: z
    .string()
    .default('')
    .describe('MQTT user for it; by default the one that `tidemark init` created')
    .meta({ env: 'TIDEMARK_FLOWS_MQTT_USER' }),
  mqttPassword: z.string().default('').describe('Its password').meta({ env: 'TIDEMARK_FLOWS_MQTT_PASSWORD' }),
});

/** Why a process cannot run just these, or undefined when it can. */
export function rolesProblem(wanted: readonly Role[]): string | undefined {
  const isPlatform = platformRoles.every((role) => wanted.includes(role));
  const isFlowsAlone = wanted.length > 0 && wanted.every((role) => role === 'flows');
  if (isPlatform || isFlowsAlone) return undefined;
  return (
    'broker, ingest, alerts and api share one store and run in one process; ' +
    'there are "broker,ingest,alerts,api,flows", the same without flows, and flows alone'
  );
}
