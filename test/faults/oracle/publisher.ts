// A publisher as a process of its own, so that nothing that happens to the platform happens to it:
// `publisher.ts LOAD`, a Load as JSON. It sends numbered readings, notes every acknowledged one in its own
// file before it sends more, and is spoken to over the IPC channel; it ends with its parent.
import { HttpSender } from './http-sender.ts';
import type { Command, Load, Report } from './load.ts';
import { MqttSender } from './mqtt-sender.ts';
import { Tally } from './tally.ts';

const TICK_MS = 10;
const TICKS_PER_REPORT = 10;

const load = JSON.parse(process.argv[2]!) as Load;
const tally = new Tally(load);
const Sender = load.protocol === 'mqtt' ? MqttSender : HttpSender;
const senders = Array.from(
  { length: load.connections },
  (_, index) => new Sender(`${load.prefix}-${index}`, load, tally),
);
for (const sender of senders) sender.start();

let ticks = 0;
let stopAtMs: number | undefined;
const timer = setInterval(() => {
  for (const sender of senders) sender.pump();
  if (++ticks % TICKS_PER_REPORT === 0) report({ kind: 'progress', progress: tally.progress });
  if (stopAtMs !== undefined && (performance.now() >= stopAtMs || senders.every(({ isIdle }) => isIdle)))
    finish();
}, TICK_MS);

process.on('message', (command: Command) => {
  if (command.kind === 'latency') report({ kind: 'latency', latency: tally.takeLatency() });
  else {
    tally.isStopping = true;
    stopAtMs = performance.now() + command.withinMs;
  }
});
process.on('disconnect', () => process.exit());

function finish(): void {
  clearInterval(timer);
  for (const sender of senders) sender.end();
  const sentBy = Object.fromEntries(senders.map(({ sensor, sent }) => [sensor, sent]));
  process.send!(
    { kind: 'summary', summary: { ...tally.progress, sentBy, log: load.log } } satisfies Report,
    () => process.disconnect(),
  );
}

function report(message: Report): void {
  process.send!(message);
}
