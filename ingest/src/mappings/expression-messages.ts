/** What the process of an expression is asked. */
export interface ExpressionQuestion {
  input: unknown;
  /** The topic and its placeholders: `$topic`, and each by its name. */
  bindings: Record<string, string>;
}

/** What it answers, one for each question and in their order; the first says that it has started. */
export type ExpressionAnswer =
  | { type: 'ready' }
  /** JSON of what came of it. */
  | { type: 'result'; json: string }
  | { type: 'failed'; message: string; isTimeout: boolean };

/** How an expression is evaluated, as the only argument of its process. */
export interface ExpressionSettings {
  expression: string;
  timeoutMs: number;
  maxResultBytes: number;
}
