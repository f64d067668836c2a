import { type Clock, NS_PER_MS, NS_PER_SECOND, systemClock } from '@tidemark/core';
import { type ConnectionOptions, mqttConnection } from '../connection.ts';
import { untilInterrupted } from '../interrupt.ts';
import { sleepUntil } from '../pace.ts';
import { type OutputOptions, printNotice, printResult, type Snapshot, withProgress } from '../progress.ts';
import { Publisher } from '../publisher.ts';
import { Crowd } from './crowd.ts';
import { type CrowdMessage, CrowdMessages } from './messages.ts';

const drainTimeoutMs = 3000;

export interface SimulateTravellersOptions extends ConnectionOptions, OutputOptions {
  cameras: number;
  /** Who set out in an hour. */
  travellers: number;
  /** So many simulated hours that end now, as fast as `rate`; without it, in real time until interrupted. */
  hours?: number;
  /** Most positions a second. */
  rate: number;
  frameMs: number;
  seed: number;
  qos: 0 | 1 | 2;
  inFlight: number;
}

interface Counts {
  positions: number;
}

/** The command: travellers pass cameras until the hours are over or Ctrl-C. */
export async function simulateTravellers(options: SimulateTravellersOptions): Promise<void> {
  const { qos, inFlight: maxInFlight, cameras } = options;
  const publisher = new Publisher({
    connection: mqttConnection(options),
    qos,
    maxInFlight,
    onConnectionLost: () => printNotice(options, 'connection lost, reconnecting'),
  });
  const counts: Counts = { positions: 0 };
  const startedMs = performance.now();
  const snapshot = () => describe(publisher, counts, performance.now() - startedMs);
  await publisher.start();
  try {
    await withProgress({
      title: `${cameras} cameras`,
      output: options,
      snapshot,
      run: () =>
        untilInterrupted((signal) =>
          runTravellers({ ...options, publisher, counts, clock: systemClock, signal }),
        ),
    });
  } finally {
    await publisher.stop();
  }
  printResult(options, snapshot());
}

interface TravellersParts
  extends Pick<SimulateTravellersOptions, 'cameras' | 'travellers' | 'hours' | 'rate' | 'frameMs' | 'seed'> {
  publisher: Publisher;
  counts: Counts;
  clock: Clock;
  signal: AbortSignal;
}

/** Publishes what cameras see, picture by picture, some of it late and some of it twice. */
export async function runTravellers(parts: TravellersParts): Promise<void> {
  const { cameras, travellers, hours, frameMs, seed, publisher, clock, signal } = parts;
  const lastNs = clock.nowNs();
  const pastNs = BigInt(Math.round((hours ?? 0) * 3600)) * NS_PER_SECOND;
  const startNs = ((lastNs - pastNs) / NS_PER_MS) * NS_PER_MS;
  const crowd = new Crowd({ cameras, travellersPerHour: travellers, frameMs, seed, startNs });
  const messages = new CrowdMessages(seed);
  const frames =
    hours === undefined ? Number.POSITIVE_INFINITY : Math.floor(Number(pastNs / NS_PER_MS) / frameMs);
  const startMs = performance.now();
  for (let frame = 0; frame < frames && !signal.aborted; frame++) {
    // What is simulated in real time is sent when it has happened.
    if (hours === undefined) await sleepUntil(startMs + (frame + 1) * frameMs, signal);
    await send(messages.next(crowd.next()), parts, startMs);
  }
  await send(messages.rest(), parts, startMs);
  await publisher.drain(signal.aborted ? AbortSignal.timeout(drainTimeoutMs) : signal);
}

async function send(
  messages: readonly CrowdMessage[],
  { publisher, counts, rate, signal }: TravellersParts,
  startMs: number,
): Promise<void> {
  for (const { topic, payload, positions } of messages) {
    await sleepUntil(startMs + (counts.positions / rate) * 1000, signal);
    if (signal.aborted) return;
    await publisher.publish(topic, payload, signal);
    counts.positions += positions;
  }
}

function describe(
  { published, acknowledged, reconnects, isConnected }: Publisher,
  { positions }: Counts,
  elapsedMs: number,
): Snapshot {
  const ratePerS = Math.round((positions / Math.max(elapsedMs, 1)) * 1000);
  const state = isConnected || acknowledged === published ? '' : ', reconnecting';
  return {
    text: `${positions} positions in ${published} messages, ${acknowledged} acknowledged, ${ratePerS}/s${state}`,
    data: { positions, published, acknowledged, reconnects, ratePerS, elapsedMs: Math.round(elapsedMs) },
  };
}
