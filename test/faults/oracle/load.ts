/** What a publisher is to send; its readings are numbered from 0 for each connection. */
export interface LoadOptions {
  protocol: 'mqtt' | 'http';
  /** Where to: an MQTT or an HTTP URL, the same after a restart of the platform. */
  url: string;
  /** MQTT only. */
  qos?: 1 | 2;
  connections: number;
  /** Messages that may wait for their acknowledgement on a connection (MQTT; HTTP has one). */
  window?: number;
  /** Readings in one message. */
  batch?: number;
  /** Readings a second over all connections; without it, as fast as they are acknowledged. */
  ratePerSecond?: number;
  /** Readings on each connection, after which it stops by itself. */
  readings?: number;
  /** Readings bring their time, or the platform stamps them. */
  time?: 'device' | 'server';
  /** Each connection is the sensor `<prefix>-<index>`; two publishers on one platform need two prefixes. */
  prefix: string;
}

/** The same with nothing left out, as the publisher's process gets it. */
export interface Load extends Required<LoadOptions> {
  /** Where acknowledged readings are noted. */
  log: string;
}

/** How far a publisher has come. */
export interface Progress {
  /** Readings sent at least once, and acknowledged. */
  sent: number;
  acknowledged: number;
  /** Connections that are open now. */
  connected: number;
  /** Connections that ended, other than by our own stop. */
  disconnects: number;
  /** Messages sent again. */
  resent: number;
}

/** What a publisher did in all. */
export interface Summary extends Progress {
  /** Readings sent at least once by each sensor: their numbers are those below it. */
  sentBy: Record<string, number>;
  log: string;
}

/** From sending a message to its acknowledgement, over lost connections too. */
export interface Latency {
  count: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

export type Command = { kind: 'stop'; withinMs: number } | { kind: 'latency' };
export type Report =
  | { kind: 'progress'; progress: Progress }
  | { kind: 'latency'; latency: Latency }
  | { kind: 'summary'; summary: Summary };
