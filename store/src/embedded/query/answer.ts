import type { Statement } from '@tidemark/influxql';
import type { QueryOptions, QuerySeries } from '../../engine.ts';
import type { Reader } from '../reader.ts';
import { answerSelect } from './select.ts';
import { answerShow } from './show.ts';

/** Answers one InfluxQL statement. Throws QueryError where InfluxDB answers with an error. */
export async function answerStatement(
  reader: Reader,
  statement: Statement,
  options: QueryOptions,
): Promise<QuerySeries[]> {
  return statement.kind === 'select'
    ? answerSelect(reader, statement, options)
    : answerShow(reader, statement, options);
}
