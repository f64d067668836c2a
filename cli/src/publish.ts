import { TidemarkError } from '@tidemark/core';
import { type ConnectionOptions, mqttConnection } from './connection.ts';
import { untilInterrupted } from './interrupt.ts';
import { type OutputOptions, printNotice, printResult } from './progress.ts';
import { Publisher } from './publisher.ts';

// MQTT's own bound on a packet is 256 MiB (3.1.1, section 2.2.3); brokers take much less.
const maxPayloadBytes = 16 * 1024 * 1024;

export interface PublishOptions extends ConnectionOptions, OutputOptions {
  qos: 0 | 1 | 2;
  retain: boolean;
}

/** Publishes one message, `-` meaning the payload on standard input, and waits for its acknowledgement. */
export async function publish(topic: string, payload: string, options: PublishOptions): Promise<void> {
  if (topic === '' || /[+#\0]/.test(topic)) {
    throw new TidemarkError(
      'bad_request',
      `"${topic}" is no topic to publish on: it is empty or holds + or #`,
    );
  }
  const content = payload === '-' ? await readStandardInput() : payload;
  const publisher = new Publisher({
    connection: mqttConnection(options),
    qos: options.qos,
    maxInFlight: 1,
    isRetained: options.retain,
    onConnectionLost: () => printNotice(options, 'connection lost, reconnecting'),
  });
  await publisher.start();
  try {
    await untilInterrupted(async (signal) => {
      await publisher.publish(topic, content, signal);
      await publisher.drain(signal);
    });
  } finally {
    await publisher.stop();
  }
  const isAcknowledged = publisher.acknowledged === 1;
  if (!isAcknowledged)
    throw new TidemarkError('unavailable', 'interrupted before the message was acknowledged');
  const verb = options.qos === 0 ? 'sent (QoS 0 is not acknowledged)' : 'acknowledged';
  printResult(options, { text: `${verb}: ${topic}`, data: { topic, qos: options.qos } });
}

async function readStandardInput(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxPayloadBytes) {
      throw new TidemarkError(
        'payload_too_large',
        `the payload on standard input is over ${maxPayloadBytes} bytes`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
