export * from './engine.ts';
export * from './meta-db.ts';
