import type { Item } from './node-red.ts';

/** A tab that holds the nodes, the server that they name, and `errors`, which is given what Catch nodes get. */
export function flowOf(nodes: readonly Item[]): Item[] {
  const place = { z: 'tab', x: 100, y: 100 };
  return [
    { id: 'tab', type: 'tab', label: 'Test' },
    { id: 'server', type: 'tidemark-server', version: 1, apiUrl: '', mqttUrl: '' },
    { id: 'catch', type: 'catch', scope: null, uncaught: false, wires: [['errors']], ...place },
    ...nodes.map((node) => ({ server: 'server', wires: [['out']], ...place, ...node })),
    { ...sink('errors'), ...place },
    { ...sink('out'), ...place },
  ];
}

/** A node that takes messages and does nothing. */
export function sink(id: string): Item {
  return { id, type: 'debug', active: false, tosidebar: false, console: false, tostatus: false, wires: [] };
}
