import { EventStream, type StreamEvent } from '../../platform/event-stream.ts';
import type { Behaviour, NodeContext } from '../../runtime/define-node.ts';
import type { spec } from './spec.ts';

/** What a live reading has besides its metrics. */
interface Reading {
  id: string;
  sensor: string;
  location: string | null;
  time: string;
  [metric: string]: unknown;
}

interface Gap {
  reason: 'reclaimed' | 'ahead' | 'behind';
  skipped: number | null;
}

/** Sends readings as they become durable; what a lost connection held back comes when it is there again. */
export function readingsIn({
  node,
  settings,
  server,
  show,
  fail,
  send,
}: NodeContext<typeof spec.fields>): Behaviour {
  const { sensor, metric, location, output } = settings;
  let count = 0;

  const onReading = (reading: Reading): void => {
    if (output === 'readings') {
      send({ topic: reading.sensor, payload: reading, reading });
    } else {
      for (const [name, value] of valuesOf(reading))
        send({ topic: `${reading.sensor}/${name}`, payload: value, reading });
    }
    count += 1;
    if (count === 1) show('green', 'dot', 'receiving');
  };
  const onGap = ({ reason, skipped }: Gap): void => {
    show('yellow', 'dot', 'gap', { skipped: skipped ?? '?' });
    node.warn(`${skipped ?? 'some'} readings were left out: ${gapReasons[reason]}`);
  };
  const stream = new EventStream({
    api: server().api,
    path: '/api/v1/live',
    query: { sensor, metric, location },
    names: ['gap'],
    onEvent: ({ name, data }: StreamEvent) => {
      if (name === 'gap') onGap(JSON.parse(data) as Gap);
      else onReading(JSON.parse(data) as Reading);
    },
    onOpen: () => show('green', count === 0 ? 'ring' : 'dot', 'connected'),
    onLost: (reason) => show('red', 'ring', 'disconnected', { reason }),
  });
  show('yellow', 'ring', 'connecting');
  stream.open().catch(fail);
  return { onClose: () => stream.close() };
}

const gapReasons = {
  reclaimed: 'the connection was away for longer than the platform keeps its log',
  ahead: "the platform's log is another one than before",
  behind: 'this flow takes them more slowly than they come',
} as const;

const members = ['id', 'sensor', 'location', 'time'];

/** The metrics of a reading; `late: true` is a mark, `late: 7` a metric. */
function valuesOf(reading: Reading): [string, unknown][] {
  return Object.entries(reading).filter(
    ([name, value]) => !members.includes(name) && !(name === 'late' && value === true),
  );
}
