// The process of Node-RED. It is told what to do over IPC, tells each second that it is alive, and ends with its parent.
import { readdirSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { ChildSettings, FromChild, ToChild } from '../messages.ts';
import { FrontDoor } from './front-door.ts';
import { LineBudget } from './line-budget.ts';
import { NodeRed } from './node-red.ts';
import { UsageMeter } from './usage-meter.ts';

const BEAT_MS = 1000;
const LEAVE_MS = 300;
/** Of 19: a tenth of the processor where the platform wants all of it. */
const NICER_BY = 10;

yieldToIngest();
// On a thread of its own, since a flow in an endless loop would never hear that its parent has gone.
new Worker(new URL('./parent-watch.ts', import.meta.url), { workerData: process.ppid }).unref();
process.on('disconnect', () => process.exit());
// A terminal's Ctrl-C and a service manager's stop go to every process; the parent says when to end.
process.on('SIGINT', () => {}).on('SIGTERM', () => {});

const lines = new LineBudget((level, text) => tell({ type: 'log', level, text }));
lines.takeOver(process.stdout, 'info');
lines.takeOver(process.stderr, 'error');
process.on('uncaughtException', (error) => {
  lines.tell('fatal', `uncaught: ${error instanceof Error ? error.stack : String(error)}`);
  leave(1);
});

let running: { door: FrontDoor; nodeRed: NodeRed } | undefined;
process.on('message', (message: ToChild) => {
  if (message.type === 'stop') void stop();
  else start(message.settings).catch(fail);
});

async function start(settings: ChildSettings): Promise<void> {
  const door = new FrontDoor(settings);
  tell({ type: 'listening', port: await door.open() });
  const nodeRed = new NodeRed({ settings, door, lines });
  running = { door, nodeRed };
  const meter = new UsageMeter({ nodeRed, lines });
  setInterval(() => tell({ type: 'beat', usage: meter.read() }), BEAT_MS);
  await nodeRed.start();
  tell({ type: 'started', version: nodeRed.version });
}

async function stop(): Promise<void> {
  running?.door.close();
  await running?.nodeRed.stop().catch((error) => lines.tell('error', String(error)));
  leave(0);
}

function fail(error: unknown): void {
  tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
  leave(1);
}

/** Ends once the parent has what it was told. */
function leave(code: number): void {
  setTimeout(() => process.exit(code), LEAVE_MS);
  if (process.connected) process.send?.({ type: 'leaving' } satisfies FromChild, () => process.exit(code));
}

function tell(message: FromChild): void {
  if (process.connected) process.send?.(message, () => {});
}

/** Lower priority than the platform's for every thread: Linux keeps it by thread, and some are older than this line. */
function yieldToIngest(): void {
  const priority = Math.min(constants.priority.PRIORITY_LOW, getPriority() + NICER_BY);
  setPriority(priority);
  if (process.platform !== 'linux') return;
  for (const thread of readdirSync('/proc/self/task')) {
    try {
      setPriority(Number(thread), priority);
    } catch {
      // It has ended meanwhile.
    }
  }
}
