import { LIST, listValue, VARCHAR } from '@duckdb/node-api';
import { messageOf } from '@tidemark/core';
import { QueryError } from '@tidemark/influxql';
import type { Reader } from '../reader.ts';

/** Which texts regular expressions match. DuckDB's engine matches in linear time, whatever the expression. */
export class Regexes {
  readonly #matches: ReadonlyMap<string, ReadonlySet<string>>;

  private constructor(matches: ReadonlyMap<string, ReadonlySet<string>>) {
    this.#matches = matches;
  }

  /** Tries each expression on each text. Throws QueryError for an expression that is none. */
  static async match(reader: Reader, sources: readonly string[], texts: Iterable<string>): Promise<Regexes> {
    const matches = new Map<string, Set<string>>();
    if (sources.length === 0) return new Regexes(matches);
    const list = listValue([...new Set(texts)]);
    for (const source of new Set(sources)) {
      const found = new Set<string>();
      matches.set(source, found);
      const build = () => ({
        sql: 'SELECT x FROM (SELECT unnest($texts) AS x) WHERE regexp_matches(x, $regex)',
        parameters: { texts: [list, LIST(VARCHAR)], regex: [source, VARCHAR] } as const,
      });
      await reader
        .run(build, (chunk) => {
          for (const text of chunk.getColumnValues(0)) found.add(text as string);
        })
        .catch((error: unknown) => {
          throw invalid(error);
        });
    }
    return new Regexes(matches);
  }

  /** True when the expression matches somewhere in a text, one of those that were tried. */
  test(source: string, text: string): boolean {
    return this.#matches.get(source)?.has(text) ?? false;
  }
}

/** Everything that a regular expression may be asked about. */
export function* textsOf({ series }: Reader): Generator<string> {
  yield '';
  for (const measurement of series.measurements()) {
    yield measurement;
    yield* series.pinsOf(measurement)?.keys() ?? [];
    for (const { tags } of series.tagSetsIn(measurement)) for (const tag of tags) yield* tag;
  }
}

/** What Go says of a regular expression where DuckDB's engine, made after the same model, uses other words. */
const goWords: Record<string, string> = {
  'missing )': 'missing closing )',
  'missing ]': 'missing closing ]',
  'no argument for repetition operator': 'missing argument to repetition operator',
  'invalid repetition size': 'invalid repeat count',
  'bad repetition operator': 'invalid nested repetition operator',
  'invalid perl operator': 'invalid or unsupported Perl syntax',
  'trailing \\': 'trailing backslash at end of expression',
};

function invalid(error: unknown): unknown {
  const [, problem, found] = /Invalid Input Error: ([^:]*): (.*)/s.exec(messageOf(error)) ?? [];
  if (problem === undefined) return error;
  return new QueryError(`error parsing regexp: ${goWords[problem] ?? problem}: \`${found}\``, {
    isSyntax: true,
  });
}
