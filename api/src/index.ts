export { type ApiApp, createApp, createStatusApp } from './app.ts';
export { endOfLines, endOfRows, wholeLines } from './body/whole-lines.ts';
export { HeartbeatServiceClient } from './grpc/generated/tidemark/v1/heartbeat_service.ts';
export { ReadingServiceService } from './grpc/generated/tidemark/v1/reading_service.ts';
export { GrpcServer } from './grpc/grpc-server.ts';
export { HttpServer } from './http-server.ts';
export { LiveClients } from './live/live-clients.ts';
export type { ApiParts } from './parts.ts';
