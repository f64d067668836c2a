import type { Packet } from 'mqtt-packet';
import type { BrokerMetrics } from './metrics.ts';
import type { AedesClient } from './outbox.ts';

type Handle = (packet: Packet) => void;

/** Reason codes from here on are failures (MQTT 5, section 2.4). */
const FIRST_FAILURE = 0x80;

/**
 * Sees each packet before Aedes does, which has no hook there: counts it, and keeps Aedes from what would end
 * the process or be forgotten. Takes the place of the one listener, since a second one would cost each packet.
 */
export function inspectPackets(
  client: AedesClient,
  metrics: BrokerMetrics,
  onRefused: (messageId: number) => void,
): void {
  const parser = client._parser;
  const [handle] = parser.listeners('packet') as [Handle];
  parser.removeAllListeners('packet');
  parser.on('packet', (packet: Packet) => {
    metrics.traffic.packetsReceived++;
    if (packet.cmd === 'subscribe' && packet.subscriptions.length > 1) {
      // Aedes finds repeated filters with a plain object, whose prototype this one would become.
      if (packet.subscriptions.some(({ topic }) => topic === '__proto__')) {
        client.emit('error', new Error('a filter __proto__ must come alone'));
        return;
      }
    } else if (packet.cmd === 'pubrec' && (packet.reasonCode ?? 0) >= FIRST_FAILURE) {
      onRefused(packet.messageId!);
    }
    handle.call(parser, packet);
  });
}
