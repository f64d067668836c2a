// What an InfluxQL query says, as the planner reads it.
// Language: https://docs.influxdata.com/influxdb/v1/query_language/spec/

/** What a query may hold. */
export type ParsedStatement = Statement | CreateDatabaseStatement;

/** What a store is asked. */
export type Statement = SelectStatement | ShowStatement;

/** What clients of InfluxDB 1 send before they write; it is for the caller to say what becomes of it. */
export interface CreateDatabaseStatement {
  kind: 'create database';
  name: string;
}

export interface SelectStatement {
  kind: 'select';
  fields: SelectField[];
  sources: Source[];
  where: Expression | undefined;
  groupBy: Dimension[];
  fill: FillOption;
  /** Of time; the only thing that InfluxQL orders by. */
  order: 'asc' | 'desc';
  /** True when the order was asked for. */
  isOrdered: boolean;
  limit: number;
  offset: number;
  seriesLimit: number;
  seriesOffset: number;
  /** IANA name. */
  timeZone: string | undefined;
}

export interface SelectField {
  expression: Expression;
  alias: string | undefined;
}

export type Source = MeasurementSource | SubquerySource;

/** One measurement by its name, or all that match a regular expression. */
export interface MeasurementSource {
  kind: 'measurement';
  database: string | undefined;
  retentionPolicy: string | undefined;
  name: string | undefined;
  regex: string | undefined;
}

export interface SubquerySource {
  kind: 'subquery';
  select: SelectStatement;
}

export type Dimension =
  /** `time(every, offset)`; anything else is refused by the planner, as InfluxDB does. */
  | { kind: 'call'; name: string; args: Expression[] }
  | { kind: 'tag'; name: string }
  | { kind: 'regex'; source: string }
  | { kind: 'wildcard' };

/** `value` of kind `number` is what empty windows get; `null` is the default, `none` leaves them out. */
export type FillOption =
  | { kind: 'null' | 'none' | 'previous' | 'linear' }
  | { kind: 'number'; value: number | bigint };

/** What the words behind `::` mean; `field` and `tag` say where to look, the rest cast. */
export type CastType = 'field' | 'tag' | 'float' | 'integer' | 'unsigned' | 'string' | 'boolean';

export type Expression =
  | { kind: 'number'; value: number }
  | { kind: 'integer'; value: bigint }
  | { kind: 'string'; value: string }
  | { kind: 'boolean'; value: boolean }
  | { kind: 'duration'; ns: bigint }
  /** Never parsed: what `now()` and times in quotes become. */
  | { kind: 'time'; ns: bigint }
  | { kind: 'regex'; source: string }
  | { kind: 'reference'; name: string; cast: CastType | undefined }
  | { kind: 'wildcard'; of: 'field' | 'tag' | undefined }
  | { kind: 'call'; name: string; args: Expression[] }
  | { kind: 'paren'; inner: Expression }
  | { kind: 'binary'; operator: Operator; left: Expression; right: Expression };

export type Operator =
  | 'OR'
  | 'AND'
  | '='
  | '!='
  | '=~'
  | '!~'
  | '<'
  | '<='
  | '>'
  | '>='
  | '+'
  | '-'
  | '|'
  | '^'
  | '*'
  | '/'
  | '%'
  | '&';

export type ShowTarget =
  | 'databases'
  | 'measurements'
  | 'retention policies'
  | 'series'
  | 'tag keys'
  | 'tag values'
  | 'field keys';

export interface ShowStatement {
  kind: 'show';
  target: ShowTarget;
  /** `ON`. */
  database: string | undefined;
  /** `FROM`; of measurements, `WITH MEASUREMENT`. */
  sources: MeasurementSource[];
  /** Of tag values: `WITH KEY`. */
  withKey: KeyCondition | undefined;
  where: Expression | undefined;
  limit: number;
  offset: number;
  order: 'asc' | 'desc';
}

export type KeyCondition =
  | { operator: '=' | '!='; key: string }
  | { operator: '=~' | '!~'; regex: string }
  | { operator: 'IN'; keys: string[] };
