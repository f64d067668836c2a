export { BufferedWriter, type RejectedReading, type WriterOptions } from './buffered-writer.ts';
export { TidemarkClientError } from './errors.ts';
export type { ConnectionOptions } from './http.ts';
export type { LiveEvent, LiveGap, LiveOptions } from './live.ts';
export { TidemarkClient } from './tidemark-client.ts';
export type * from './types.ts';
