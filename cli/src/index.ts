export { main } from './main.ts';
export { Platform, type PlatformAddress } from './platform.ts';
export { replay } from './replay.ts';
