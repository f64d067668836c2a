import { hintOfReason, messageOf, parseJson, type QuarantineReason } from '@tidemark/core';
import { ask } from '../ask.ts';
import { connectMqtt } from '../connect-mqtt.ts';
import type { HttpConnection, MqttConnection } from '../connection.ts';
import type { Finding } from './findings.ts';

const TIMEOUT_MS = 10_000;
/** Answers tell the time in whole seconds. */
const CLOCK_MS = 5000;
const LITTLE_DISK_BYTES = 1e9;
const LITTLE_DISK_TEXT =
  'raise retention.maxBytes or retention.maxAge, or make room: on a full disk publishers are held back';
const TOLD_REASONS = 3;
const QUIET_MS = 3_600_000;

interface Health {
  version: string;
  /** None for who may not read data. */
  checks: { name: string; status: 'pass' | 'warn' | 'fail'; message: string }[];
}

const statusOf = { pass: 'passed', warn: 'warned', fail: 'stopped' } as const;

/** Looks at a running platform: its listeners, access, clock, parts, disk, readings and refusals. */
export async function checkUp(http: HttpConnection, mqtt: MqttConnection): Promise<Finding[]> {
  const reached = await reach(http);
  if ('what' in reached) return [reached];
  const { health, findings } = reached;
  findings.push(await mqttFinding(mqtt));
  if (health.checks.length === 0) {
    findings.push({
      what: 'access',
      status: 'stopped',
      message: 'the platform asks for an API token',
      hint: 'give one with --token or TIDEMARK_TOKEN; npx tidemark init creates one',
    });
    return findings;
  }
  findings.push({ what: 'access', status: 'passed', message: 'may ask for everything' });
  for (const { name, status, message } of health.checks)
    findings.push({ what: name, status: statusOf[status], message });
  findings.push(await told('disk', () => diskFinding(http)));
  findings.push(await told('readings', () => readingsFinding(http)));
  findings.push(...(await quarantineFindings(http)));
  return findings;
}

async function reach({
  url,
  token,
}: HttpConnection): Promise<Finding | { health: Health; findings: Finding[] }> {
  try {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const response = await fetch(`${url}/health`, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    const health = (await response.json()) as Health;
    const aheadMs = Date.parse(response.headers.get('date') ?? '') - Date.now();
    const findings: Finding[] = [
      { what: 'http', status: 'passed', message: `${url} answers, version ${health.version}` },
      clockFinding(aheadMs),
    ];
    return { health, findings };
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    return {
      what: 'http',
      status: 'stopped',
      message: `no answer from ${url}: ${messageOf(cause)}`,
      hint: 'start it (npm start), or say where it is with --url',
    };
  }
}

function clockFinding(aheadMs: number): Finding {
  const what = 'clock';
  if (!(Math.abs(aheadMs) > CLOCK_MS))
    return { what, status: 'passed', message: 'as the clock of this machine' };
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  const message = `${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} the clock of this machine`;
  return { what, status: 'warned', message, hint: 'let both take their time by NTP' };
}

async function mqttFinding(connection: MqttConnection): Promise<Finding> {
  const url = connection.url.replace(/\/\/[^/@]*@/, '//');
  try {
    const client = await connectMqtt(connection);
    client.end(true);
    const as = connection.username === undefined ? 'without a user' : `as ${connection.username}`;
    return { what: 'mqtt', status: 'passed', message: `${url} lets in ${as}` };
  } catch (error) {
    return { what: 'mqtt', status: 'stopped', message: messageOf(error) };
  }
}

async function diskFinding(http: HttpConnection): Promise<Finding> {
  const { freeBytes } = (await asked(http, 'storage')) as { freeBytes: number };
  const message = `${(freeBytes / 1e9).toFixed(1)} GB left where the data folder is`;
  if (freeBytes >= LITTLE_DISK_BYTES) return { what: 'disk', status: 'passed', message };
  return { what: 'disk', status: 'warned', message, hint: LITTLE_DISK_TEXT };
}

async function readingsFinding(http: HttpConnection): Promise<Finding> {
  const what = 'readings';
  const { items } = (await asked(http, 'readings', { order: 'desc', limit: 1 })) as {
    items: { sensor: string; time: string }[];
  };
  const newest = items[0];
  if (newest === undefined) {
    const hint = 'publish one: npx tidemark publish sensors/kitchen/temperature 21.5';
    return { what, status: 'warned', message: 'none is stored yet', hint };
  }
  const message = `the newest is of ${newest.sensor} at ${newest.time}`;
  if (Date.now() - Date.parse(newest.time) < QUIET_MS) return { what, status: 'passed', message };
  return {
    what,
    status: 'warned',
    message: `${message}: none is of the last hour`,
    hint: 'npx tidemark doctor <topic> follows the next message of a device',
  };
}

async function quarantineFindings(http: HttpConnection): Promise<Finding[]> {
  const what = 'refused';
  try {
    const summary = (await asked(http, 'quarantine/summary')) as {
      count: number;
      byReason: { reason: QuarantineReason; count: number }[];
    };
    if (summary.count === 0) return [{ what, status: 'passed', message: 'nothing is in the quarantine' }];
    return summary.byReason.slice(0, TOLD_REASONS).map(({ reason, count }) => ({
      what,
      status: 'warned',
      message: `${count} × ${reason}: npx tidemark quarantine list --reason ${reason}`,
      hint: hintOfReason(reason),
    }));
  } catch (error) {
    return [{ what, status: 'stopped', message: messageOf(error) }];
  }
}

async function asked(
  http: HttpConnection,
  path: string,
  parameters: Record<string, string | number> = {},
): Promise<unknown> {
  return parseJson(await ask(http, { path, parameters }));
}

/** A question that is not answered is a finding, and not the end. */
async function told(what: string, find: () => Promise<Finding>): Promise<Finding> {
  return find().catch((error: unknown) => ({ what, status: 'stopped', message: messageOf(error) }));
}
