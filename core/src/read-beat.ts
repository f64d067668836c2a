import type { Beat } from './heartbeats.ts';
import { parseJson } from './json.ts';

/**
 * The heartbeat of a message on `heartbeats/<service>`: its payload may be `{"latency_ms", "timeout_ms"}`. Anything
 * else says no more than that the service is up.
 */
export function readBeat(topic: string, payload: Uint8Array): Beat {
  const { latency_ms, timeout_ms } = membersOf(payload);
  return {
    service: topic.slice(topic.indexOf('/') + 1),
    latencyMs: typeof latency_ms === 'number' ? latency_ms : undefined,
    timeoutMs: typeof timeout_ms === 'number' ? timeout_ms : undefined,
  };
}

function membersOf(payload: Uint8Array): { latency_ms?: unknown; timeout_ms?: unknown } {
  try {
    const value = parseJson(Buffer.from(payload).toString());
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
