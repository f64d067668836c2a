import { TidemarkClient } from '@tidemark/client';
import { messageOf, TidemarkError } from '@tidemark/core';
import { type ConnectionOptions, httpConnection } from '../connection.ts';
import { untilInterrupted } from '../interrupt.ts';
import { printJson } from '../progress.ts';
import { toTable } from '../table.ts';
import { Screen } from './screen.ts';
import { LiveStats } from './series-stats.ts';
import { toFrame, toItem } from './table-frame.ts';

/** Often enough for an eye; lines are read later. */
const DRAW_EVERY_MS = 200;
const PRINT_EVERY_MS = 1000;

export interface LiveCommandOptions extends ConnectionOptions {
  sensor?: string[];
  location?: string[];
  metric?: string[];
  after?: string;
  json?: boolean;
}

/** What is shown beside the series. */
interface Connection {
  isOpen: boolean;
  /** Readings that the platform left out. */
  skipped: number;
  unknownGaps: number;
}

interface View {
  show(): void;
  end(): void;
}

/** Follows readings until Ctrl-C: a table of every series on a terminal; in a pipe, a line for each that has changed. */
export async function live({
  sensor,
  location,
  metric,
  after,
  json,
  ...options
}: LiveCommandOptions): Promise<void> {
  const connection = httpConnection(options);
  const stats = new LiveStats(() => performance.now());
  const state: Connection = { isOpen: false, skipped: 0, unknownGaps: 0 };
  const view =
    process.stdout.isTTY && json !== true
      ? onScreen(stats, state, connection.url)
      : inLines(stats, json === true);
  const timer = setInterval(() => view.show(), process.stdout.isTTY ? DRAW_EVERY_MS : PRINT_EVERY_MS);
  let isTold = false;
  const onConnection = (isOpen: boolean): void => {
    // Once for each loss: it is tried again every second.
    if (!process.stdout.isTTY && !isOpen && !isTold)
      process.stderr.write(
        state.isOpen
          ? 'connection lost; it is tried again, and resumes where it was\n'
          : `no answer from ${connection.url}; it is tried again: start the platform, or say where it is with --url\n`,
      );
    isTold = !isOpen;
    state.isOpen = isOpen;
  };
  try {
    await untilInterrupted(async (signal) => {
      const filter = { ...(sensor && { sensor }), ...(location && { location }), ...(metric && { metric }) };
      const closing = new AbortController();
      // Who reads the pipe may have had enough, as `head` has.
      process.stdout.once('error', () => closing.abort());
      const ended = AbortSignal.any([signal, closing.signal]);
      const events = new TidemarkClient(connection).live({
        ...filter,
        ...(after !== undefined && { after }),
        signal: ended,
        onConnection,
      });
      for await (const event of events) {
        if (event.kind === 'reading') stats.add(event.id, event.reading);
        else if (event.gap.skipped === null) state.unknownGaps += 1;
        else state.skipped += event.gap.skipped;
      }
      if (!closing.signal.aborted) view.show();
    });
  } catch (error) {
    throw new TidemarkError('bad_request', messageOf(error), { cause: error });
  } finally {
    clearInterval(timer);
    view.end();
  }
}

function onScreen(stats: LiveStats, state: Connection, url: string): View {
  const screen = new Screen(process.stdout);
  screen.enter();
  const show = (): void =>
    screen.draw(toFrame({ stats: stats.all(), status: statusOf(stats, state, url), ...screen.size }));
  process.stdout.on('resize', show);
  show();
  const end = (): void => {
    process.stdout.off('resize', show);
    screen.leave();
    // What it came to stays.
    process.stdout.write(toTable(stats.all().map(toItem)));
  };
  return { show, end };
}

function inLines(stats: LiveStats, isJson: boolean): View {
  const show = (): void => {
    const changed = stats.takeChanged();
    if (isJson) for (const series of changed) printJson({ ...series });
    else if (changed.length > 0) process.stdout.write(changed.map(toLine).join(''));
  };
  return { show, end: () => {} };
}

function toLine(series: Parameters<typeof toItem>[0]): string {
  const cells = Object.entries(toItem(series)).filter(([, value]) => value !== null && value !== '');
  return `${cells.map(([name, value]) => `${name}=${String(value).replace(/\s/g, '_')}`).join(' ')}\n`;
}

function statusOf(stats: LiveStats, { isOpen, skipped, unknownGaps }: Connection, url: string): string {
  const parts = [
    isOpen ? `live from ${url}` : `connecting to ${url} …`,
    `${stats.size} series`,
    ...(stats.uncounted > 0 ? [`${stats.uncounted} values of more series`] : []),
    ...(skipped > 0 ? [`${skipped} readings left out: this terminal is too slow`] : []),
    ...(unknownGaps > 0 ? ['some readings are no longer in the log'] : []),
    'Ctrl-C ends it',
  ];
  return parts.join(' · ');
}
