import { TidemarkError } from '@tidemark/core';
import {
  type ConnectionOptions,
  httpConnection,
  type MqttConnection,
  mqttConnection,
} from '../connection.ts';
import { untilInterrupted } from '../interrupt.ts';
import { printJson } from '../progress.ts';
import { checkUp } from './checkup.ts';
import { type Finding, printable, toLines } from './findings.ts';
import { type Message, nextMessage, type Trace, traceOf } from './message.ts';

const PREVIEW_BYTES = 80;

export interface DoctorOptions extends ConnectionOptions {
  payload?: string;
  user?: string;
  /** In seconds. */
  wait: number;
  json?: boolean;
}

const outcomes: Record<string, string> = {
  stored: 'It is stored.',
  partly_stored: 'Part of it is stored; the rest is quarantined.',
  delayed: 'It is acknowledged and safe, and stored once the store takes it.',
  held: 'It is not acknowledged until the log takes it; the device has to keep it.',
  quarantined: 'It is quarantined.',
  nothing: 'There is nothing in it to store.',
  not_ingested: 'It goes to its subscribers, and is not stored.',
  refused: 'The broker refuses it.',
};

/** With a topic, says what becomes of a message, by default the next one; without, looks at the platform. */
export async function doctor(topic: string | undefined, options: DoctorOptions): Promise<void> {
  const http = httpConnection(options);
  const mqtt = mqttConnection(options);
  if (topic === undefined) return report(await checkUp(http, mqtt), options);
  const message = options.payload === undefined ? await waited(topic, mqtt, options) : undefined;
  const traced = message ?? { topic, payload: Buffer.from(options.payload ?? '') };
  const trace = await traceOf(http, traced, options.user ?? mqtt.username);
  tell(traced, trace, options);
  if (!['stored', 'partly_stored'].includes(trace.outcome))
    throw new TidemarkError('nothing_accepted', `${trace.outcome} at step ${trace.stopsAt}`);
}

async function waited(topic: string, mqtt: MqttConnection, { wait, json }: DoctorOptions): Promise<Message> {
  if (json !== true) process.stderr.write(`waiting up to ${wait} s for the next message on ${topic} …\n`);
  const message = await untilInterrupted((signal) =>
    nextMessage(mqtt, topic, AbortSignal.any([signal, AbortSignal.timeout(wait * 1000)])),
  );
  if (message !== undefined) return message;
  throw new TidemarkError(
    'unavailable',
    `no message came on ${topic}: the device does not publish there, is not connected, or is refused; ` +
      'npx tidemark doctor checks the platform, and --payload tells of a message without waiting',
  );
}

function tell({ topic, payload }: Message, trace: Trace, { json }: DoctorOptions): void {
  if (json) {
    printJson({ topic, ...trace });
    return;
  }
  const text = Buffer.from(payload).toString('utf8');
  const shown = text.length > PREVIEW_BYTES ? `${text.slice(0, PREVIEW_BYTES)}…` : text;
  process.stdout.write(`${printable(topic)} ${printable(shown)}\n`);
  process.stdout.write(toLines(trace.steps.map(({ step, ...rest }) => ({ what: step, ...rest }))));
  process.stdout.write(`${outcomes[trace.outcome] ?? trace.outcome}\n`);
}

function report(findings: readonly Finding[], { json }: DoctorOptions): void {
  if (json) for (const finding of findings) printJson({ ...finding });
  else process.stdout.write(toLines(findings));
  const failed = findings.filter(({ status }) => status === 'stopped');
  if (failed.length === 0) return;
  throw new TidemarkError('unavailable', `not well: ${failed.map(({ what }) => what).join(', ')}`);
}
