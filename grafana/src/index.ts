export { PROVISIONING } from './folder.ts';
export * from './settings.ts';
