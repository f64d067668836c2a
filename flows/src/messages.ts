/** What the platform tells the process of Node-RED, once, before anything else. */
export interface ChildSettings {
  /** Address and port to listen on; port 0 picks a free one. */
  host: string;
  port: number;
  allowedHosts: readonly string[];
  maxBodyBytes: number;
  /** Folder of Node-RED's own files: flows, credentials, sessions. */
  userDir: string;
  /** Whether to begin with the example flows where there are none. */
  hasExamples: boolean;
  /** Load the flows and leave them stopped. */
  isSafeMode: boolean;
  logLevel: string;
  /** Encrypts the credentials that flows hold. */
  credentialSecret: string;
  /** Who may come in; undefined where only this machine can, without a login. */
  login: Login | undefined;
}

export interface Login {
  username: string;
  /** SHA-256 of the password in hex. The password is 256 random bits, so that there is nothing to guess. */
  passwordHash: string;
}

export type ToChild = { type: 'start'; settings: ChildSettings } | { type: 'stop' };

export type FromChild =
  /** It listens; Node-RED comes up behind it. */
  | { type: 'listening'; port: number }
  /** Node-RED has started. */
  | { type: 'started'; version: string }
  /** It cannot start, says what to do about it, and ends. */
  | { type: 'failed'; message: string }
  /** Each second: it is alive, and what it uses. */
  | { type: 'beat'; usage: Usage }
  /** It has told all that it had to, and ends. */
  | { type: 'leaving' }
  | { type: 'log'; level: LogLevel; text: string };

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';

/** What Node-RED uses; counts are those since the beat before. */
export interface Usage {
  /** False in safe mode until something is deployed. */
  areFlowsRunning: boolean;
  flows: number;
  nodes: number;
  /** Messages that nodes received. */
  messages: number;
  /** Lines for the log that were more than it takes. */
  droppedLines: number;
  cpuSeconds: number;
  heapBytes: number;
  residentBytes: number;
  /** Of the event loop, since the beat before. */
  delayP99Seconds: number;
  delayMaxSeconds: number;
}
