export { type FlowsAccess, FlowsSupervisor } from './supervisor.ts';
