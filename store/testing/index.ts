export * from './engine-contract.ts';
export * from './influxd.ts';
export * from './require-tool.ts';
export * from './start-engine.ts';
export * from './travellers.ts';
