export { AlertService } from './alert-service.ts';
export { HeartbeatService } from './heartbeats/heartbeat-service.ts';
