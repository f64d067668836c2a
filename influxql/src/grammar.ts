import { EMPTY_ALT, type IParserErrorMessageProvider } from 'chevrotain';
import type {
  CreateDatabaseStatement,
  KeyCondition,
  MeasurementSource,
  ParsedStatement,
  ShowStatement,
  ShowTarget,
} from './ast.ts';
import * as t from './lexer.ts';
import { SelectGrammar } from './select-grammar.ts';

const k = t.keyword;

/** One rule for each production; each answers its part of the tree. */
export class Grammar extends SelectGrammar {
  constructor(errorMessageProvider: IParserErrorMessageProvider) {
    super(errorMessageProvider);
    this.performSelfAnalysis();
  }

  readonly query = this.RULE('query', (): ParsedStatement[] => {
    const statements: ParsedStatement[] = [];
    this.MANY_SEP({
      SEP: t.Semicolon,
      DEF: () => {
        this.OPTION(() => statements.push(this.SUBRULE(this.statement)));
      },
    });
    return statements;
  });

  readonly statement = this.RULE(
    'statement',
    (): ParsedStatement =>
      this.OR({
        ERR_MSG: 'SELECT, DELETE, SHOW, CREATE, DROP, EXPLAIN, GRANT, REVOKE, ALTER, SET, KILL',
        DEF: [
          { ALT: (): ParsedStatement => this.SUBRULE(this.select) },
          { ALT: (): ParsedStatement => this.SUBRULE(this.show) },
          {
            GATE: () => this.LA(2).tokenType === k('DATABASE'),
            ALT: (): ParsedStatement => this.SUBRULE(this.createDatabase),
          },
        ],
      }),
  );

  readonly createDatabase = this.RULE('createDatabase', (): CreateDatabaseStatement => {
    this.CONSUME(k('CREATE'));
    this.CONSUME(k('DATABASE'));
    return { kind: 'create database', name: this.SUBRULE(this.name) };
  });

  readonly show = this.RULE('show', (): ShowStatement => {
    this.CONSUME(k('SHOW'));
    const target = this.SUBRULE(this.showTarget);
    let database: string | undefined;
    this.OPTION(() => {
      this.CONSUME(k('ON'));
      database = this.SUBRULE(this.name);
    });
    const sources = this.SUBRULE(this.showSources);
    const withKey = this.SUBRULE(this.withKeyClause, { ARGS: [target === 'tag values'] });
    const where = this.SUBRULE(this.whereClause);
    const { order } = this.SUBRULE(this.orderClause);
    const { limit, offset } = this.SUBRULE(this.limits);
    return { kind: 'show', target, database, sources, withKey, where, order, limit, offset };
  });

  readonly showTarget = this.RULE('showTarget', (): ShowTarget => {
    let target: ShowTarget = 'databases';
    this.OR({
      ERR_MSG:
        'CONTINUOUS, DATABASES, DIAGNOSTICS, FIELD, GRANTS, MEASUREMENT, MEASUREMENTS, QUERIES, RETENTION, SERIES, SHARD, SHARDS, STATS, SUBSCRIPTIONS, TAG, USERS',
      DEF: [
        { ALT: () => this.CONSUME(k('DATABASES')) },
        {
          ALT: () => {
            this.CONSUME(k('MEASUREMENTS'));
            target = 'measurements';
          },
        },
        {
          ALT: () => {
            this.CONSUME(k('SERIES'));
            target = 'series';
          },
        },
        {
          ALT: () => {
            this.CONSUME(k('RETENTION'));
            this.CONSUME(k('POLICIES'));
            target = 'retention policies';
          },
        },
        {
          ALT: () => {
            this.CONSUME(k('FIELD'));
            this.CONSUME(k('KEYS'));
            target = 'field keys';
          },
        },
        {
          ALT: () => {
            this.CONSUME(k('TAG'));
            this.OR2({
              ERR_MSG: 'KEY, KEYS, VALUES',
              DEF: [
                {
                  ALT: () => {
                    this.CONSUME2(k('KEYS'));
                    target = 'tag keys';
                  },
                },
                {
                  ALT: () => {
                    this.CONSUME(k('VALUES'));
                    target = 'tag values';
                  },
                },
              ],
            });
          },
        },
      ],
    });
    return target;
  });

  /** `FROM …`, or `WITH MEASUREMENT = …`. */
  readonly showSources = this.RULE('showSources', (): MeasurementSource[] => {
    const sources: MeasurementSource[] = [];
    this.OPTION({
      GATE: () =>
        this.LA(1).tokenType === k('FROM') ||
        this.LA(2).tokenType === k('MEASUREMENT') ||
        this.LA(2).tokenType !== k('KEY'),
      DEF: () => {
        this.OR([
          {
            ALT: () => {
              this.CONSUME(k('FROM'));
              this.AT_LEAST_ONE_SEP({
                SEP: t.Comma,
                DEF: () => sources.push(this.SUBRULE(this.measurement)),
              });
            },
          },
          {
            ALT: () => {
              this.CONSUME(k('WITH'));
              this.CONSUME(k('MEASUREMENT'));
              this.OR2([{ ALT: () => this.CONSUME(t.Equals) }, { ALT: () => this.CONSUME(t.Matches) }]);
              sources.push(this.SUBRULE2(this.measurement));
            },
          },
        ]);
      },
    });
    return sources;
  });

  /** Tag values need it, nothing else may have it. */
  readonly withKeyClause = this.RULE('withKeyClause', (isNeeded: boolean): KeyCondition | undefined => {
    let condition: KeyCondition | undefined;
    this.OR({
      ERR_MSG: 'WITH',
      DEF: [
        {
          GATE: () => isNeeded,
          ALT: () => {
            this.CONSUME(k('WITH'));
            this.CONSUME(k('KEY'));
            condition = this.SUBRULE(this.keyCondition);
          },
        },
        { GATE: () => !isNeeded, ALT: EMPTY_ALT() },
      ],
    });
    return condition;
  });

  readonly keyCondition = this.RULE(
    'keyCondition',
    (): KeyCondition =>
      this.OR({
        ERR_MSG: 'IN, =, =~',
        DEF: [
          {
            ALT: (): KeyCondition => {
              this.CONSUME(t.Equals);
              return { operator: '=', key: this.SUBRULE(this.name) };
            },
          },
          {
            ALT: (): KeyCondition => {
              this.CONSUME(t.NotEquals);
              return { operator: '!=', key: this.SUBRULE2(this.name) };
            },
          },
          {
            ALT: (): KeyCondition => {
              this.CONSUME(t.Matches);
              return { operator: '=~', regex: this.SUBRULE(this.regex) };
            },
          },
          {
            ALT: (): KeyCondition => {
              this.CONSUME(t.MatchesNot);
              return { operator: '!~', regex: this.SUBRULE2(this.regex) };
            },
          },
          {
            ALT: (): KeyCondition => {
              this.CONSUME(k('IN'));
              this.CONSUME(t.OpenParen);
              const keys: string[] = [];
              this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => keys.push(this.SUBRULE3(this.name)) });
              this.CONSUME(t.CloseParen);
              return { operator: 'IN', keys };
            },
          },
        ],
      }),
  );
}
