export { clientMetrics } from './client-metrics.ts';
export { serverMetrics } from './server-metrics.ts';
