import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetrics, loadConfig, type Sensor, silentLogger, systemClock } from '@tidemark/core';
import { expect, it, onTestFinished } from 'vitest';
import { openMetaDb } from '../meta-db.ts';
import { SensorRegistry } from './registry.ts';
import { bareRecord } from './tables.ts';

async function openRegistry(path: string) {
  const db = openMetaDb(path);
  const shared = { clock: systemClock, logger: silentLogger, metrics: createMetrics() };
  const registry = new SensorRegistry({ ...shared, db, limits: loadConfig().registry });
  await registry.start();
  const close = async () => {
    if (!db.isOpen) return;
    await registry.stop();
    db.close();
  };
  onTestFinished(close);
  return { registry, close };
}

it("sensors are the same after a restart, and what they share is no one else's to change", async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-registry-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'meta.db');
  const { registry, close } = await openRegistry(path);
  for (const id of ['a', 'b', 'c', 'd']) registry.register(id, 'hall', ['t', '__proto__']);
  const declared: Partial<Sensor> = {
    metrics: bareRecord([['t', { unit: '°C', min: -1 }]]),
    labels: bareRecord([['__proto__', 'x']]),
    stays: [
      { location: 'hall', fromNs: -(2n ** 63n) },
      { location: undefined, fromNs: 5n },
    ],
    formerIds: ['c0'],
  };
  registry.write({ sensors: [{ ...registry.sensor('c')!, ...declared }] });
  registry.register('e', undefined, []);
  const before = structuredClone([...registry.sensors()]);
  await close();

  const { registry: again } = await openRegistry(path);
  expect([...again.sensors()]).toEqual(before);
  expect(again.sensor('c0')?.id).toBe('c');
  again.reportMetric(again.sensor('a')!, 'u');
  again.reportLocation(again.sensor('b')!, 'yard');
  expect(again.sensor('a')?.metrics).toHaveProperty('u');
  expect(again.sensor('b')).toMatchObject({ reportedLocation: 'yard' });
  for (const id of ['c', 'd', 'e']) expect(again.sensor(id)).toEqual(before.find((one) => one.id === id));
});

it('the place that a sensor reports is written with what people declare of the sensor', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-registry-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'meta.db');
  const { registry } = await openRegistry(path);
  registry.register('a', 'hall', ['t']);
  registry.write({ sensors: [{ ...registry.sensor('a')!, owner: 'ops' }] });

  // Opened beside the first, which has not written anything else: as after a crash.
  const { registry: again } = await openRegistry(path);
  again.reportLocation(again.sensor('a')!, 'hall');
  expect([...again.locations()]).toEqual([...registry.locations()]);
  expect([...again.locations()]).toMatchObject([{ id: 'hall', isSelfRegistered: true }]);
});
