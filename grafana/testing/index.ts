export * from './ask.ts';
export * from './interpolate.ts';
export * from './provisioned.ts';
