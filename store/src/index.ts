export * from './audit-log.ts';
export * from './credentials.ts';
export * from './engine.ts';
export * from './loopback.ts';
export * from './meta-db.ts';
export * from './open.ts';
export * from './registry/registry.ts';
export { bareRecord } from './registry/tables.ts';
