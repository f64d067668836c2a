/** What the owner of a sensor declared of one of its metrics. */
export interface MetricDeclaration {
  /** As UCUM or as people write it: `°C`, `%`, `hPa`. */
  unit?: string | undefined;
  /** Inclusive; a value below is stored, and counted against the sensor's quality. */
  min?: number | undefined;
  /** Inclusive. */
  max?: number | undefined;
  /** True when the platform computes it from others. */
  derived?: boolean | undefined;
}

/** A sensor is at `location` from `fromNs` on, until the next stay begins; undefined: nowhere known. */
export interface Stay {
  location: string | undefined;
  fromNs: bigint;
}

export const sensorStates = ['active', 'maintenance', 'retired'] as const;
export type SensorState = (typeof sensorStates)[number];

/** What reports readings. In open mode a sensor registers itself with its first reading. */
export interface Sensor {
  id: string;
  /** What it is, in its owner's words: `thermometer`, `camera`. */
  kind: string | undefined;
  /** By name; those that it reported and nobody declared are empty. Without a prototype: names come from users. */
  metrics: Readonly<Record<string, MetricDeclaration>>;
  /** Where it was declared to be, oldest first. */
  stays: readonly Stay[];
  /** What its messages said last, for as long as nobody has declared where it is. */
  reportedLocation: string | undefined;
  /** Ids that it had before: its device may go on using them. */
  formerIds: readonly string[];
  /** How often it is expected to report; undefined: whenever it likes. */
  expectedIntervalMs: number | undefined;
  owner: string | undefined;
  labels: Readonly<Record<string, string>>;
  state: SensorState;
  /** Whose time its readings have: `device` takes the time they bring, `server` that of acceptance. */
  timeFrom: 'device' | 'server';
  /** True when nobody declared it: it registered itself with its first reading. */
  isSelfRegistered: boolean;
  createdNs: bigint;
  updatedNs: bigint;
  /** Counts changes from 1; the ETag. */
  version: number;
}

/** A place that sensors are at; places nest by `parent`. */
export interface Location {
  id: string;
  name: string;
  /** WGS 84 degrees. */
  latitude: number | undefined;
  longitude: number | undefined;
  parent: string | undefined;
  /** True when nobody declared it: a sensor's message named it. */
  isSelfRegistered: boolean;
  createdNs: bigint;
  updatedNs: bigint;
  /** Counts changes from 1; the ETag. */
  version: number;
}

/** Where the sensor was declared to be at a time; undefined when nobody did, as before its first stay. */
export function locationAt({ stays }: Pick<Sensor, 'stays'>, timeNs: bigint): string | undefined {
  for (let index = stays.length - 1; index >= 0; index--) {
    const stay = stays[index]!;
    if (timeNs >= stay.fromNs) return stay.location;
  }
  return undefined;
}

/** Where the sensor is, as far as is known: as declared, else as its messages say. */
export function knownLocation(sensor: Sensor, nowNs: bigint): string | undefined {
  return sensor.stays.length === 0 ? sensor.reportedLocation : locationAt(sensor, nowNs);
}
