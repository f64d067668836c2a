import type { Expiry } from '../engine.ts';
import { timeOf } from './cells.ts';
import type { Connection } from './connection.ts';
import { quoteName, timeCondition } from './influxql.ts';
import { encodeName } from './names.ts';
import { loadFields } from './schema.ts';

/** Fields of one measurement. */
const maxRows = 1_000_000;
/** The least time that InfluxDB knows. */
const minTimeNs = -9_223_372_036_854_775_806n;

/** Deletes each measurement's points before its time; answers how many values there were. */
export async function purge(
  connection: Connection,
  expiries: readonly Expiry[],
): Promise<{ points: number }> {
  let points = 0;
  for (const { measurement, beforeNs } of expiries) {
    const from = `FROM ${quoteName(encodeName(measurement))} WHERE time >= ${minTimeNs} AND time < ${beforeNs}`;
    const [series = []] = await connection.query([`SELECT count(*) ${from}`], maxRows);
    const counts = series.flatMap(({ values }) => values).flatMap((row) => row.slice(1));
    const found = counts.reduce<number>((sum, count) => sum + Number(count ?? 0), 0);
    if (found === 0) continue;
    await connection.query([`DELETE ${from}`], 1);
    points += found;
  }
  return { points };
}

/** The time of each measurement's oldest point. */
export async function oldestTimes(connection: Connection): Promise<Map<string, bigint>> {
  const names = [...new Set((await loadFields(connection)).map(({ measurement }) => measurement))];
  const always = timeCondition({ fromNs: 0n, toNs: 2n ** 63n });
  const answers = await connection.query(
    names.map((name) => `SELECT * FROM ${quoteName(encodeName(name))} WHERE ${always} ORDER BY time LIMIT 1`),
    maxRows,
  );
  const times = new Map<string, bigint>();
  names.forEach((name, index) => {
    const row = answers[index]?.[0]?.values[0];
    if (row !== undefined) times.set(name, timeOf(row[0]));
  });
  return times;
}
