import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Api, ApiError } from '../../platform/api.ts';
import { type Behaviour, messageOf, type NodeContext } from '../../runtime/define-node.ts';
import { type Alert, AlertFollower } from './alert-follower.ts';
import { AlertMemory } from './alert-memory.ts';
import { keepRule, type Rule, removeRule, ruleOf } from './rule.ts';
import type { spec } from './spec.ts';

const retryMs = 5000;

/** Keeps a rule in the platform, which alone evaluates it, and sends when its alerts are raised and cleared. */
export function threshold(context: NodeContext<typeof spec.fields>): Behaviour {
  const threshold = new Threshold(context);
  const started = threshold.start().catch(context.fail);
  return {
    onClose: async (isRemoved) => {
      threshold.close();
      await started;
      await (isRemoved ? threshold.remove() : threshold.flush());
    },
  };
}

class Threshold {
  readonly #context: NodeContext<typeof spec.fields>;
  readonly #api: Api;
  readonly #rule: Rule;
  readonly #memory: AlertMemory;
  readonly #follower: AlertFollower;
  readonly #closing = new AbortController();

  constructor(context: NodeContext<typeof spec.fields>) {
    const { RED, node, settings, server, show } = context;
    this.#context = context;
    this.#api = server().api;
    this.#rule = ruleOf(node.id, settings);
    this.#memory = new AlertMemory({
      path: join(RED.settings.userDir!, 'tidemark', `${this.#rule.id}.json`),
      onFault: (error) => node.warn(`what was raised is not kept over a restart: ${messageOf(error)}`),
    });
    this.#follower = new AlertFollower({
      api: this.#api,
      ruleId: this.#rule.id,
      memory: this.#memory,
      keepRule: () => this.#keepRule(),
      onRaised: (alert) => this.#tell(alert, 0),
      onCleared: (alert) => this.#tell(alert, 1),
      onOpen: () => this.#showRaised(),
      onLost: (reason) => show('red', 'ring', 'disconnected', { reason }),
    });
  }

  /** Resolves once alerts are followed; waits for a platform that is away, throws what it refuses. */
  async start(): Promise<void> {
    const { show } = this.#context;
    show('yellow', 'ring', 'connecting');
    await this.#memory.load();
    await this.#patiently(() => this.#follower.open());
  }

  close(): void {
    this.#closing.abort();
    this.#follower.close();
  }

  /** Resolves once all that was told is noted. */
  flush(): Promise<void> {
    return this.#memory.flush();
  }

  /** Deletes the rule, and what is known of its alerts. */
  async remove(): Promise<void> {
    await this.#memory.remove();
    await removeRule(this.#api, this.#rule);
  }

  async #keepRule(): Promise<void> {
    const { node } = this.#context;
    const note = `Node-RED: ${node.name || node.id}`;
    for (const { path, message } of await keepRule(this.#api, this.#rule, note))
      node.warn(path === '' ? message : `${path}: ${message}`);
  }

  async #patiently(act: () => Promise<void>): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        return await act();
      } catch (error) {
        // 412: somebody changed the rule between two requests of ours.
        const isPassing = error instanceof ApiError && (error.isRetryable || error.status === 412);
        const key = isPassing ? 'disconnected' : 'refused';
        this.#context.show('red', 'ring', key, { reason: messageOf(error).slice(0, 60) });
        if (!isPassing) throw error;
        await delay(retryMs, undefined, { signal }).catch(() => {});
      }
    }
  }

  #tell(alert: Alert, output: 0 | 1): void {
    const { sensor, metric, value } = alert;
    const topic = metric === null ? sensor : `${sensor}/${metric}`;
    const message = { topic, payload: value, alert, raised: this.#memory.raised.size };
    this.#context.send(output === 0 ? [message, null] : [null, message]);
    this.#showRaised();
  }

  #showRaised(): void {
    const count = this.#memory.raised.size;
    if (count === 0) this.#context.show('green', 'dot', 'clear');
    else this.#context.show('red', 'dot', 'raised', { count });
  }
}
