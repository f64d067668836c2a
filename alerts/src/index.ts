export { AlertService } from './alert-service.ts';
