/** Which travellers: an empty or missing list means all. */
export interface TravellersQuery {
  sensors?: readonly string[] | undefined;
  /** Such as `cyclist`. */
  types?: readonly string[] | undefined;
  /** Inclusive. */
  fromNs: bigint;
  /** Exclusive; positions outside never count. */
  toNs: bigint;
}

export interface TravellerWindowsQuery extends TravellersQuery {
  /** From the start of one window to that of the next; windows are aligned to the epoch. */
  everyNs: bigint;
  lengthNs: bigint;
  /** A silence longer than this ends a stay. */
  gapNs: bigint;
}

/** What went on at one sensor, of one type; speeds are in metres a second, null where there is none. */
export interface TravellerWindow {
  /** Start of the window. */
  timeNs: bigint;
  sensor: string;
  type: string;
  /** Distinct travellers: each from its first to its last position of a stay. */
  count: number;
  minSpeed: number | null;
  meanSpeed: number | null;
  maxSpeed: number | null;
}

/** One traveller at one sensor, from its first to its last position in the range. */
export interface TravellerStay {
  traveller: string;
  type: string;
  sensor: string;
  entryNs: bigint;
  exitNs: bigint;
  positions: number;
  minSpeed: number | null;
  meanSpeed: number | null;
  maxSpeed: number | null;
}

/** A place in the order of stays. */
export type StayPlace = Pick<TravellerStay, 'entryNs' | 'sensor' | 'type' | 'traveller'>;

export interface TravellerStaysQuery extends TravellersQuery {
  /** By entry, then sensor, type and traveller; `desc` turns all of them round. */
  order: 'asc' | 'desc';
  limit: number;
  /** Only stays that come after this one in the order asked for. */
  after?: StayPlace | undefined;
}
