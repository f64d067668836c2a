export { main } from './main.ts';
export { Platform, type PlatformAddress } from './platform.ts';
export { Publisher } from './publisher.ts';
export { replay } from './replay.ts';
export { Crowd, type CrowdPosition } from './travellers/crowd.ts';
export { messagesOf } from './travellers/messages.ts';
