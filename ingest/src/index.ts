export { Ingest } from './ingest.ts';
export { Sources } from './sources/sources.ts';
