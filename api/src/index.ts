export { type ApiApp, createApp } from './app.ts';
export { HttpServer } from './http-server.ts';
export type { ApiParts } from './parts.ts';
