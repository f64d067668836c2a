// Services that are watched: those that send heartbeats, the addresses that are looked at, and the platform's own parts.

/** A sign of life. */
export interface Beat {
  /** Named as sensors are. */
  service: string;
  latencyMs?: number | undefined;
  /** How long it may be silent; undefined: as the configuration says. */
  timeoutMs?: number | undefined;
}

/** `beat`: it sends heartbeats; `check`: its address is looked at; `part`: it is a part of this platform. */
export type ServiceKind = 'beat' | 'check' | 'part';

export interface ServiceStatus {
  service: string;
  kind: ServiceKind;
  isUp: boolean;
  sinceNs: bigint;
  /** When it was seen up last; undefined: never. */
  lastSeenNs: bigint | undefined;
  latencyMs: number | undefined;
  /** What is wrong, empty while it is up. */
  message: string;
}

/** Where heartbeats go. */
export interface HeartbeatSink {
  /**
   * Takes a heartbeat; resolves with its time (ns) once it is on stable storage. Throws `bad_request` that names the
   * field, `conflict` for the name of a check or a part, `unavailable` when there are too many services, and a
   * retryable `spool_full` or `spool_failed`.
   */
  beat(beat: Beat): Promise<bigint>;
}

export interface Heartbeats extends HeartbeatSink {
  /** Every service that is known, by name. */
  services(): ServiceStatus[];
  /** Forgets a service that sends heartbeats, and ends its alert; false when there is none. */
  forget(service: string): boolean;
  /** Tells of each change of a state, one after another, until the function that it answers with is called. */
  watch(listener: (status: ServiceStatus) => void): () => void;
}
