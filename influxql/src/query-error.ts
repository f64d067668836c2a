import { TidemarkError } from '@tidemark/core';

/** A statement that cannot be answered; the message is InfluxDB's, and goes into the statement's result. */
export class QueryError extends TidemarkError {
  /** True for what InfluxDB finds when it reads the query, so that nothing of the query is answered. */
  readonly isSyntax: boolean;

  constructor(message: string, { isSyntax = false }: { isSyntax?: boolean } = {}) {
    super('bad_request', message);
    this.name = 'QueryError';
    this.isSyntax = isSyntax;
  }
}
