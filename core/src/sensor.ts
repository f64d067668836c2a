/** What reports readings. In open mode a sensor registers itself with its first reading. */
export interface Sensor {
  id: string;
  location: string | undefined;
  /** Metrics seen or declared. */
  metrics: readonly string[];
  firstSeenNs: bigint | undefined;
  lastSeenNs: bigint | undefined;
}

/** A place that sensors are at; places nest by `parent`. */
export interface Location {
  id: string;
  name: string;
  /** WGS 84 degrees. */
  latitude: number | undefined;
  longitude: number | undefined;
  parent: string | undefined;
}
