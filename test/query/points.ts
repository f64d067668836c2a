/** Seconds since 1970 of the first point. */
export const START_S = 1_600_000_000n;
export const SPAN_S = 600n;

const NS = 1_000_000_000n;

/**
 * Lines of measurements that differ in what makes queries differ: `cpu` with fields of every type, holes, and a tag
 * that not every series has; `mem` with a field of cpu's name and another type; `sync` with points of several series
 * at the same times; `berlin` across both changes of its clocks. The values of `v` are all different.
 */
export function testLines(): string[] {
  const random = generator(7);
  return [...busyLines(random), ...syncLines(random), ...clockLines()];
}

function* busyLines(random: () => number): Generator<string> {
  const tagSets = ['host=a,region=eu', 'host=b,region=us', 'host=c'];
  for (let step = 0n; step < SPAN_S / 10n; step++) {
    for (const [index, tags] of tagSets.entries()) {
      if (random() < 0.2) continue;
      const second = START_S + step * 10n + BigInt(index * 3);
      const timeNs = second * NS + BigInt(Math.floor(random() * 1e9));
      yield `cpu,${tags} ${cpuFields(random).join(',')} ${timeNs}`;
      if (random() < 0.3)
        yield `mem,host=${'abc'[index]} v=${(Number(step) * 21 + index * 7) % 1261}i,w=${random()} ${timeNs + 1n}`;
    }
  }
}

function cpuFields(random: () => number): string[] {
  const fields = [`v=${random() * 100 - 20}`];
  if (random() < 0.7) fields.push(`i=${Math.floor(random() * 50) - 10}i`);
  if (random() < 0.5) fields.push(`u=${Math.floor(random() * 9)}u`);
  if (random() < 0.5) fields.push(`s="${['x', 'y', 'zed'][Math.floor(random() * 3)]}"`);
  if (random() < 0.5) fields.push(`b=${random() < 0.5}`);
  return fields;
}

function* syncLines(random: () => number): Generator<string> {
  for (let step = 0n; step < 30n; step++) {
    for (const host of ['a', 'b'])
      yield `sync,host=${host} v=${random() * 10} ${(START_S + step * 20n) * NS}`;
  }
}

/** Hourly points around the last Sundays of October and March. */
function* clockLines(): Generator<string> {
  for (const firstS of [1_603_490_400n, 1_616_709_600n]) {
    for (let hour = 0n; hour < 96n; hour++)
      yield `berlin v=${hour},k=${hour % 5n}i ${(firstS + hour * 3600n) * NS}`;
  }
}

function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}
