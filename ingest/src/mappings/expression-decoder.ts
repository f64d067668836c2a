import { type MappedClaim, type Mapping, parseJson } from '@tidemark/core';
import { type Decoded, keptWhole, type Limits, onlyFault } from '../decoders/decoded.ts';
import { decodeItems } from '../decoders/json.ts';
import { named, takenAs } from './compile.ts';
import type { Expression } from './expression.ts';
import { readWhole } from './read-parts.ts';
import { compileTemplate, type Render } from './template.ts';

/** Reads messages by an expression, which answers readings as `POST /api/v1/readings` takes them. */
export class ExpressionDecoder {
  readonly #mapping: Mapping;
  readonly #limits: Limits;
  readonly #expression: Expression;
  readonly #sensor: Render | undefined;
  readonly #location: Render | undefined;

  constructor(mapping: Mapping, limits: Limits, expression: Expression) {
    this.#mapping = mapping;
    this.#limits = limits;
    this.#expression = expression;
    const { sensor, location, topic } = mapping;
    const templateOf = (given: string | undefined, name: string): Render | undefined => {
      const text = given ?? (topic.includes(`{${name}}`) ? `{${name}}` : undefined);
      return text === undefined ? undefined : compileTemplate(text);
    };
    this.#sensor = templateOf(sensor, 'sensor');
    this.#location = templateOf(location, 'location');
  }

  /** Rejects with a retryable `unavailable` when the message cannot be read now. */
  async decode({ placeholders }: MappedClaim, topic: string, payload: Buffer): Promise<Decoded> {
    const read = readWhole(payload, this.#mapping, this.#limits);
    if ('reason' in read) return this.#refuse(read.reason, read.detail);
    const { value: input } = read;
    const bindings = { ...Object.fromEntries(placeholders), topic };
    const outcome = await this.#expression.evaluate({ input, bindings }, payload.length);
    if ('problem' in outcome) {
      const { problem, isTimeout } = outcome;
      return this.#refuse(
        isTimeout ? 'mapping_timeout' : 'mapping_failed',
        `the expression failed: ${problem}`,
      );
    }
    const answer = parseJson(outcome.json);
    const items = (Array.isArray(answer) ? answer : [answer]) as unknown[];
    const { maxReadingsPerMessage } = this.#limits;
    if (items.length > maxReadingsPerMessage) {
      const detail = `the expression answers ${items.length} readings; the limit is ${maxReadingsPerMessage}`;
      return this.#refuse('too_many_readings', detail);
    }
    const sensor = this.#sensor?.(placeholders, input);
    const location = this.#location?.(placeholders, input);
    const decoded = decodeItems(
      items.map((item) => withDefaults(item, { sensor, location })),
      this.#limits,
    );
    return named(keptWhole(takenAs(this.#mapping, decoded)), this.#mapping);
  }

  #refuse(reason: Parameters<typeof onlyFault>[0], detail: string): Decoded {
    return named(onlyFault(reason, detail), this.#mapping);
  }
}

/** What the mapping says of a reading that does not say it itself. */
function withDefaults(
  item: unknown,
  { sensor, location }: { sensor: string | undefined; location: string | undefined },
): unknown {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return item;
  return { ...(sensor !== undefined && { sensor }), ...(location !== undefined && { location }), ...item };
}
