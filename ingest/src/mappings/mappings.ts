import {
  asBuffer,
  type Issue,
  invalidConfig,
  type Logger,
  type MappedClaim,
  type Mapping,
  type MappingDesk,
  type MappingExplanation,
  type Registry,
  TopicClaims,
} from '@tidemark/core';
import jsonata from 'jsonata';
import type { Decoded, Limits } from '../decoders/decoded.ts';
import { compileMapping, type DecodeMapped } from './compile.ts';
import { Expression, type ExpressionLimits } from './expression.ts';
import { ExpressionDecoder } from './expression-decoder.ts';
import { MappingMetrics } from './metrics.ts';

interface MappingsOptions {
  mappings: readonly Mapping[];
  limits: Limits;
  expressions: ExpressionLimits;
  metrics: Registry;
  logger: Logger;
}

/** What an expression may answer, as JSON. */
const MAX_RESULT_BYTES = 1024 * 1024;

/** The user's mappings, ready to read messages. Throws `config_invalid` where an expression cannot be read. */
export class Mappings implements MappingDesk {
  readonly claims: TopicClaims;
  readonly #decoders = new Map<Mapping, DecodeMapped | ExpressionDecoder>();
  readonly #expressions: Expression[] = [];
  readonly #metrics: MappingMetrics;

  constructor({ mappings, limits, expressions, metrics, logger }: MappingsOptions) {
    this.claims = new TopicClaims(mappings);
    this.#metrics = new MappingMetrics(metrics, mappings);
    checkExpressions(mappings);
    for (const mapping of mappings) {
      const { expression: text, id } = mapping;
      if (text === undefined) {
        this.#decoders.set(mapping, compileMapping(mapping, limits));
        continue;
      }
      const expression = new Expression({
        name: id,
        expression: text,
        limits: expressions,
        maxResultBytes: MAX_RESULT_BYTES,
        logger,
      });
      this.#expressions.push(expression);
      this.#decoders.set(mapping, new ExpressionDecoder(mapping, limits, expression));
    }
  }

  /** What a message holds; a promise where an expression reads it, which rejects with a retryable `unavailable`. */
  decode(claim: MappedClaim, topic: string, payload: Buffer): Decoded | Promise<Decoded> {
    const decoded = this.read(claim, topic, payload);
    if (decoded instanceof Promise) return decoded.then((later) => this.#counted(claim, later));
    return this.#counted(claim, decoded);
  }

  /** As `decode`, of a message that does not count. */
  read(claim: MappedClaim, topic: string, payload: Buffer): Decoded | Promise<Decoded> {
    const decoder = this.#decoders.get(claim.mapping);
    if (decoder === undefined) throw new Error(`mapping ${claim.mapping.id} is not compiled`);
    return typeof decoder === 'function'
      ? decoder(payload, claim.placeholders)
      : decoder.decode(claim, topic, payload);
  }

  /** Lets expressions answer what they were given, for as long as one message may take. */
  async stop(): Promise<void> {
    await Promise.all(this.#expressions.map((expression) => expression.stop()));
  }

  async explain(topic: string, payload: Uint8Array): Promise<MappingExplanation | undefined> {
    const claim = this.claims.of(topic);
    if (claim.kind !== 'mapped') return undefined;
    const { mapping, placeholders } = claim;
    const { readings, lines, faults } = await this.read(claim, topic, asBuffer(payload));
    return {
      mapping: mapping.id,
      topic: mapping.topic,
      placeholders: Object.fromEntries(placeholders),
      readings: readings.map(({ sensor, location, timeNs, values }) => ({
        sensor,
        location,
        timeNs,
        values: Object.fromEntries(values),
      })),
      lines: lines.length,
      rejected: faults.map(({ index, reason, detail }) => ({ index, code: reason, detail })),
    };
  }

  #counted({ mapping }: MappedClaim, decoded: Decoded): Decoded {
    this.#metrics.count(mapping, decoded);
    return decoded;
  }
}

/** Tells all that cannot be read, before any of them has a process. */
function checkExpressions(mappings: readonly Mapping[]): void {
  const issues: Issue[] = [];
  for (const { id, expression } of mappings) {
    try {
      if (expression !== undefined) jsonata(expression);
    } catch (error) {
      const { message } = error as { message?: string };
      issues.push({ path: `mappings.${id}.expression`, message: message ?? String(error) });
    }
  }
  if (issues.length > 0) throw invalidConfig(issues);
}
