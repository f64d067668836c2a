import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import type { AedesClient } from './outbox.ts';
import { Pubacks } from './pubacks.ts';

/** A client between its CONNACK and Aedes' counting it as connected, connected, and gone. */
const states = [
  { connecting: true, connected: false, acknowledged: [0x40, 2, 1, 44, 0x40, 2, 0, 9] },
  { connecting: false, connected: true, acknowledged: [0x40, 2, 1, 44, 0x40, 2, 0, 9] },
  { connecting: false, connected: false, acknowledged: [] },
];

it.each(states)(
  'connecting $connecting, connected $connected: acknowledges as far as the client is there',
  async ({ acknowledged, ...state }) => {
    const conn = new PassThrough();
    const client = { ...state, conn } as unknown as AedesClient;
    const pubacks = new Pubacks();
    const done: number[] = [];
    await new Promise<void>((resolve) => {
      pubacks.send(client, 300, () => done.push(300));
      pubacks.send(client, 9, () => {
        done.push(9);
        resolve();
      });
    });
    expect(done).toEqual([300, 9]);
    expect([...((conn.read() as Buffer | null) ?? [])]).toEqual(acknowledged);
  },
);
