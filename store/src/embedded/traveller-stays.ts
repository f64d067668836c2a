import { BIGINT, LIST, listValue, VARCHAR } from '@duckdb/node-api';
import type { TravellerStay, TravellerStaysQuery } from '../travellers.ts';
import type { Parameters } from './database.ts';
import type { Reader, Statement } from './reader.ts';
import { buildSource } from './source.ts';
import { idTable, type WantedTravellers, wantedTravellers } from './traveller-series.ts';

/** Stays in order: a traveller's positions in the range, cut where one is the first of a stay. */
export async function queryTravellerStays(
  reader: Reader,
  query: TravellerStaysQuery,
): Promise<TravellerStay[]> {
  const all = wantedTravellers(reader.series, query);
  const wanted = { ...all, slots: all.slots.filter(({ traveller }) => traveller?.type === 'string') };
  const stays: TravellerStay[] = [];
  if (wanted.slots.length === 0 || query.fromNs >= query.toNs) return stays;
  await reader.run(
    () => statementOf(reader, query, wanted),
    (chunk) => {
      for (const row of chunk.getRows()) {
        const [sensor, type, traveller, entryNs, exitNs, positions, minSpeed, meanSpeed, maxSpeed] = row;
        stays.push({
          traveller: traveller as string,
          type: type as string,
          sensor: sensor as string,
          entryNs: entryNs as bigint,
          exitNs: exitNs as bigint,
          positions: Number(positions),
          minSpeed: minSpeed as number | null,
          meanSpeed: meanSpeed === null ? null : Math.min(meanSpeed as number, Number.MAX_VALUE),
          maxSpeed: maxSpeed as number | null,
        });
      }
    },
  );
  return stays;
}

function statementOf(
  { layout, series }: Reader,
  query: TravellerStaysQuery,
  { groups, slots }: WantedTravellers,
): Statement | undefined {
  const { fromNs, toNs, limit } = query;
  const direction = query.order === 'asc' ? 'ASC' : 'DESC';
  const withSpeed = slots.flatMap(({ speed }) => (speed?.type === 'float' ? [speed] : []));
  const elapsed = buildSource(layout, series, {
    type: 'float',
    wanted: slots.map((slot) => slot.elapsed),
    fromNs,
    toNs,
    prefix: 'e',
  });
  const names = buildSource(layout, series, {
    type: 'string',
    wanted: slots.map(({ traveller }) => traveller!),
    fromNs,
    toNs,
    prefix: 't',
  });
  if (elapsed === undefined || names === undefined) return undefined;
  const speeds =
    withSpeed.length === 0
      ? undefined
      : buildSource(layout, series, { type: 'float', wanted: withSpeed, fromNs, toNs, prefix: 's' });
  const ids = idTable({
    id: slots.map((slot) => slot.elapsed.id),
    name: slots.map(({ traveller }) => traveller!.id),
    // No series has the id -1.
    pace: slots.map(({ speed }) => speed?.id ?? -1),
    grp: slots.map(({ group }) => group),
  });
  const { condition, parameters } = behind(query);
  const tags = groups.map(({ sensor, type }, at) => ({ sensor, type, at }));
  const tagList = (key: 'sensor' | 'type') => tags.map((one) => one[key]);
  const speedOf = speeds === undefined ? 'NULL::DOUBLE' : 'speeds.value';
  const joined =
    speeds === undefined
      ? ''
      : `LEFT JOIN ${speeds.sql} AS speeds ON speeds.series = pace AND speeds.time = elapsed.time`;
  return {
    sql: `WITH positions AS (
        SELECT $sensors[grp + 1] AS sensor, $types[grp + 1] AS type, names.value AS traveller, elapsed.time AS time,
          ${speedOf} AS speed, elapsed.value = 0 AS begins
        FROM ${elapsed.sql} AS elapsed JOIN ${ids.sql} ON id = elapsed.series
          JOIN ${names.sql} AS names ON names.series = name AND names.time = elapsed.time ${joined}
      ), numbered AS (
        SELECT *, count(*) FILTER (WHERE begins) OVER (PARTITION BY sensor, type, traveller ORDER BY time) AS stay
        FROM positions
      ), stays AS (
        SELECT sensor, type, traveller, min(time) AS entry, max(time) AS leave, count(*) AS positions,
          min(speed), avg(speed), max(speed)
        FROM numbered GROUP BY sensor, type, traveller, stay
      )
      SELECT * FROM stays WHERE ${condition} 
      ORDER BY entry ${direction}, sensor ${direction}, type ${direction}, traveller ${direction} LIMIT ${limit}`,
    parameters: {
      ...ids.parameters,
      ...elapsed.parameters,
      ...names.parameters,
      ...speeds?.parameters,
      ...parameters,
      sensors: textList(tagList('sensor')),
      types: textList(tagList('type')),
    },
  };
}

/** Rows behind the place that is given, in the order of the answer. */
function behind({ order, after }: TravellerStaysQuery): { condition: string; parameters: Parameters } {
  if (after === undefined) return { condition: 'TRUE', parameters: {} };
  const compared = order === 'asc' ? '>' : '<';
  return {
    condition: `(entry, sensor, type, traveller) ${compared} ($afterEntry, $afterSensor, $afterType, $afterTraveller)`,
    parameters: {
      afterEntry: [after.entryNs, BIGINT],
      afterSensor: [after.sensor, VARCHAR],
      afterType: [after.type, VARCHAR],
      afterTraveller: [after.traveller, VARCHAR],
    },
  };
}

function textList(texts: readonly string[]): Parameters[string] {
  return [listValue(texts), LIST(VARCHAR)];
}
