import type { Behaviour, NodeContext } from '../../runtime/define-node.ts';
import type { spec } from './spec.ts';

type Parameters = Record<string, string | undefined>;

const paths = { windows: '/api/v1/windows', latest: '/api/v1/latest' } as const;
const parametersOf = {
  windows: ['metric', 'sensor', 'location', 'from', 'to', 'every', 'fn', 'by', 'fill', 'tz'],
  latest: ['metric', 'sensor', 'location'],
} as const;

/** Asks for windows or latest values, for each message. */
export function query({ settings, server, show }: NodeContext<typeof spec.fields>): Behaviour {
  const { api } = server();
  return {
    async onMessage(message, send) {
      const { what, ...parameters } = wanted(settings, message.query);
      show('blue', 'ring', 'asking');
      const { json, headers } = await api.request('GET', paths[what], { query: parameters });
      const { items } = json as { items: unknown[] };
      const lagMs = headers.get('tidemark-lag-ms');
      show('green', 'dot', 'found', { count: items.length });
      send({
        ...message,
        payload: items,
        query: { what, ...parameters },
        ...(lagMs !== null && { lagMs: Number(lagMs) }),
      });
    },
  };
}

/** The node's settings, each replaced by the member of `msg.query` with its name; throws for a member that is none. */
function wanted(settings: Parameters, given: unknown): Parameters & { what: keyof typeof paths } {
  if (given !== undefined && (typeof given !== 'object' || given === null || Array.isArray(given)))
    throw new Error('msg.query must be an object, such as {"from": "now-1d", "every": "1h"}');
  const { server: _server, ...own } = settings;
  const all: Record<string, unknown> = { ...own, ...given };
  const what = all.what;
  if (what !== 'windows' && what !== 'latest') throw new Error('msg.query.what must be windows or latest');
  const names: readonly string[] = parametersOf[what];
  const strange = Object.keys(given ?? {}).filter((name) => name !== 'what' && !names.includes(name));
  if (strange.length > 0)
    throw new Error(`msg.query has no ${strange.join(', ')}; it has ${names.join(', ')}`);
  const parameters = names.flatMap((name) => {
    const value = textOf(all[name]);
    return value === '' ? [] : [[name, value]];
  });
  return { what, ...Object.fromEntries(parameters) };
}

function textOf(value: unknown): string {
  const list = Array.isArray(value) ? value.join(',') : String(value ?? '');
  return list.replaceAll(/\s*,\s*/g, ',').trim();
}
