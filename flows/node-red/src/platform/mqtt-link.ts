import type { IPublishPacket, MqttClient } from 'mqtt';
import { connect } from 'mqtt';

const timeoutMs = 10_000;
const reconnectMs = 1000;
const maxWaiting = 1000;
const maxHandlers = 1000;

/** Called with each message of a topic that was subscribed to. */
export type Handler = (topic: string, payload: Buffer, packet: IPublishPacket) => void;

interface LinkOptions {
  url: string;
  username: string | undefined;
  password: string | undefined;
}

/** One connection to the MQTT broker, made at the first use and shared by all nodes of a server. */
export class MqttLink {
  readonly #options: LinkOptions;
  readonly #handlers = new Map<string, Set<Handler>>();
  #client: MqttClient | undefined;
  #lastError: Error | undefined;
  #waiting = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /**
   * Publishes at QoS 1; resolves once the broker has acknowledged it, throws when that takes more than 10 s. What
   * was given up is not sent later: a command that comes an hour late does harm.
   */
  async publish(topic: string, payload: string | Buffer, { retain }: { retain: boolean }): Promise<void> {
    if (this.#waiting >= maxWaiting)
      throw new Error(`${maxWaiting} messages wait for the broker already: ${this.#trouble()}`);
    this.#waiting += 1;
    try {
      const deadline = AbortSignal.timeout(timeoutMs);
      const client = await this.#connected(deadline);
      await acknowledged(client, { topic, payload, retain, deadline });
    } finally {
      this.#waiting -= 1;
    }
  }

  /** Hears the topic, now and after each reconnection, until what it returns is called. No wildcards. */
  subscribe(topic: string, handler: Handler): () => void {
    const handlers = this.#handlers.get(topic) ?? new Set();
    if (!this.#handlers.has(topic) && this.#handlers.size >= maxHandlers)
      throw new Error(`${maxHandlers} topics are subscribed to already`);
    if (handlers.size === 0) this.#open().subscribe(topic, { qos: 1 });
    this.#handlers.set(topic, handlers.add(handler));
    return () => {
      handlers.delete(handler);
      if (handlers.size > 0 || this.#handlers.get(topic) !== handlers) return;
      this.#handlers.delete(topic);
      this.#client?.unsubscribe(topic);
    };
  }

  /** Closes the connection; what waits for an acknowledgement fails. */
  async end(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.endAsync(true);
  }

  #open(): MqttClient {
    if (this.#client !== undefined) return this.#client;
    const { url, username, password } = this.#options;
    const client = connect(url, {
      protocolVersion: 5,
      clean: true,
      reconnectPeriod: reconnectMs,
      connectTimeout: timeoutMs,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
    });
    client.on('error', (error) => {
      this.#lastError = error;
    });
    client.on('connect', () => {
      this.#lastError = undefined;
    });
    client.on('message', (topic, payload, packet) => {
      for (const handler of this.#handlers.get(topic) ?? []) handler(topic, payload, packet);
    });
    this.#client = client;
    return client;
  }

  async #connected(deadline: AbortSignal): Promise<MqttClient> {
    const client = this.#open();
    if (client.connected) return client;
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        client.off('connect', settle);
        client.off('end', settle);
        deadline.removeEventListener('abort', settle);
        if (client.connected) resolve(client);
        else reject(new Error(this.#trouble()));
      };
      client.on('connect', settle);
      client.on('end', settle);
      deadline.addEventListener('abort', settle);
    });
  }

  #trouble(): string {
    const { host } = new URL(this.#options.url);
    const reason = this.#lastError === undefined ? '' : `: ${reasonOf(this.#lastError)}`;
    return `no connection to the MQTT broker at ${host}${reason}`;
  }
}

interface Publication {
  topic: string;
  payload: string | Buffer;
  retain: boolean;
  deadline: AbortSignal;
}

function acknowledged(client: MqttClient, { topic, payload, retain, deadline }: Publication): Promise<void> {
  return new Promise((resolve, reject) => {
    const onLate = (): void => {
      client.removeOutgoingMessage(messageId);
      reject(new Error(`the broker did not acknowledge a message on ${topic} within ${timeoutMs / 1000} s`));
    };
    deadline.addEventListener('abort', onLate);
    client.publish(topic, payload, { qos: 1, retain }, (error) => {
      deadline.removeEventListener('abort', onLate);
      if (error) reject(new Error(`the broker did not take a message on ${topic}`, { cause: error }));
      else resolve();
    });
    const messageId = client.getLastMessageId();
  });
}

/** What failed on every address of a name has no message of its own. */
function reasonOf(error: Error): string {
  const { errors } = error as Error & { errors?: Error[] };
  return error.message || errors?.map(({ message }) => message).join(', ') || error.name;
}
