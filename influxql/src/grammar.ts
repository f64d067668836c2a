import { EMPTY_ALT, type IParserErrorMessageProvider } from 'chevrotain';
import type {
  Dimension,
  Expression,
  FillOption,
  KeyCondition,
  MeasurementSource,
  SelectField,
  SelectStatement,
  ShowStatement,
  ShowTarget,
  Source,
  Statement,
} from './ast.ts';
import { assertTime, fillOf, zoneOf } from './clauses.ts';
import { ExpressionGrammar, operandWords } from './expression-grammar.ts';
import * as t from './lexer.ts';

const k = t.keyword;

/** One rule for each production; each answers its part of the tree. */
export class Grammar extends ExpressionGrammar {
  constructor(errorMessageProvider: IParserErrorMessageProvider) {
    super(errorMessageProvider);
    this.performSelfAnalysis();
  }

  readonly query = this.RULE('query', (): Statement[] => {
    const statements: Statement[] = [];
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
    (): Statement =>
      this.OR({
        ERR_MSG: 'SELECT, DELETE, SHOW, CREATE, DROP, EXPLAIN, GRANT, REVOKE, ALTER, SET, KILL',
        DEF: [{ ALT: () => this.SUBRULE(this.select) }, { ALT: () => this.SUBRULE(this.show) }],
      }),
  );

  readonly select = this.RULE('select', (): SelectStatement => {
    this.CONSUME(k('SELECT'));
    const fields: SelectField[] = [];
    this.AT_LEAST_ONE_SEP({
      SEP: t.Comma,
      ERR_MSG: operandWords,
      DEF: () => fields.push(this.SUBRULE(this.field)),
    });
    this.CONSUME(k('FROM'));
    const sources: Source[] = [];
    this.AT_LEAST_ONE_SEP2({
      SEP: t.Comma,
      ERR_MSG: 'identifier',
      DEF: () => sources.push(this.SUBRULE(this.source)),
    });
    const where = this.SUBRULE(this.whereClause);
    const groupBy: Dimension[] = [];
    this.OPTION(() => {
      this.CONSUME(k('GROUP'));
      this.CONSUME(k('BY'));
      this.AT_LEAST_ONE_SEP3({
        SEP: t.Comma,
        ERR_MSG: operandWords,
        DEF: () => groupBy.push(this.SUBRULE(this.dimension)),
      });
    });
    const fill = this.SUBRULE(this.fillClause);
    const order = this.SUBRULE(this.orderClause);
    const limits = this.SUBRULE(this.limits);
    const timeZone = this.SUBRULE(this.timeZoneClause);
    return { kind: 'select', fields, sources, where, groupBy, fill, order, ...limits, timeZone };
  });

  readonly field = this.RULE('field', (): SelectField => {
    const expression = this.SUBRULE(this.regexOrExpression);
    let alias: string | undefined;
    this.OPTION(() => {
      this.CONSUME(k('AS'));
      alias = this.SUBRULE(this.name);
    });
    return { expression, alias };
  });

  readonly source = this.RULE(
    'source',
    (): Source =>
      this.OR({
        ERR_MSG: 'identifier',
        DEF: [
          {
            ALT: (): Source => {
              this.CONSUME(t.OpenParen);
              const select = this.SUBRULE(this.select);
              this.CONSUME(t.CloseParen);
              return { kind: 'subquery', select };
            },
          },
          { ALT: (): Source => this.SUBRULE(this.measurement) },
        ],
      }),
  );

  /** `name`, `rp.name`, `db.rp.name`, `db..name`; a regular expression may stand for the name. */
  readonly measurement = this.RULE('measurement', (): MeasurementSource => {
    const parts: (string | undefined)[] = [];
    let regex: string | undefined;
    this.OR({
      ERR_MSG: 'identifier',
      DEF: [
        {
          ALT: () => {
            regex = this.SUBRULE(this.regex);
          },
        },
        {
          ALT: () => {
            parts.push(this.SUBRULE(this.name));
            this.MANY(() => {
              this.CONSUME(t.Dot);
              this.OR2([
                {
                  ALT: () => {
                    regex = this.SUBRULE2(this.regex);
                  },
                },
                { ALT: () => parts.push(this.SUBRULE2(this.name)) },
                { ALT: () => parts.push(undefined) },
              ]);
            });
          },
        },
      ],
    });
    const name = regex === undefined ? parts.pop() : undefined;
    const retentionPolicy = parts.pop();
    return { kind: 'measurement', database: parts.pop(), retentionPolicy, name, regex };
  });

  readonly dimension = this.RULE(
    'dimension',
    (): Dimension =>
      this.OR({
        ERR_MSG: operandWords,
        DEF: [
          { ALT: (): Dimension => ({ kind: 'regex', source: this.SUBRULE(this.regex) }) },
          {
            ALT: (): Dimension => {
              this.CONSUME(t.Star);
              return { kind: 'wildcard' };
            },
          },
          {
            ALT: (): Dimension => {
              const name = this.SUBRULE(this.name);
              let args: Expression[] | undefined;
              this.OPTION(() => {
                this.CONSUME(t.OpenParen);
                const list: Expression[] = [];
                this.MANY_SEP({ SEP: t.Comma, DEF: () => list.push(this.SUBRULE(this.expression)) });
                this.CONSUME(t.CloseParen);
                args = list;
              });
              return args === undefined ? { kind: 'tag', name } : { kind: 'call', name, args };
            },
          },
        ],
      }),
  );

  readonly whereClause = this.RULE('whereClause', (): Expression | undefined => {
    let where: Expression | undefined;
    this.OPTION(() => {
      this.CONSUME(k('WHERE'));
      where = this.SUBRULE(this.expression);
    });
    return where;
  });

  /** `fill(…)`; `fill` is no reserved word. */
  readonly fillClause = this.RULE('fillClause', (): FillOption => {
    let fill: FillOption = { kind: 'null' };
    this.OPTION({
      GATE: () => this.LA(1).image.toLowerCase() === 'fill',
      DEF: () => {
        this.CONSUME(t.Identifier);
        this.CONSUME(t.OpenParen);
        let argument: Expression | undefined;
        this.OPTION2(() => {
          argument = this.SUBRULE(this.expression);
        });
        this.CONSUME(t.CloseParen);
        fill = this.ACTION(() => fillOf(argument));
      },
    });
    return fill;
  });

  readonly orderClause = this.RULE('orderClause', (): 'asc' | 'desc' => {
    let order: 'asc' | 'desc' = 'asc';
    this.OPTION(() => {
      this.CONSUME(k('ORDER'));
      this.CONSUME(k('BY'));
      this.OPTION2(() => {
        const by = this.SUBRULE(this.name);
        this.ACTION(() => assertTime(by));
      });
      this.OPTION3(() =>
        this.OR([
          { ALT: () => this.CONSUME(k('ASC')) },
          {
            ALT: () => {
              this.CONSUME(k('DESC'));
              order = 'desc';
            },
          },
        ]),
      );
    });
    return order;
  });

  readonly limits = this.RULE('limits', () => {
    const limits = { limit: 0, offset: 0, seriesLimit: 0, seriesOffset: 0 };
    this.OPTION(() => {
      this.CONSUME(k('LIMIT'));
      limits.limit = Number(this.CONSUME(t.Integer).image);
    });
    this.OPTION2(() => {
      this.CONSUME(k('OFFSET'));
      limits.offset = Number(this.CONSUME2(t.Integer).image);
    });
    this.OPTION3(() => {
      this.CONSUME(k('SLIMIT'));
      limits.seriesLimit = Number(this.CONSUME3(t.Integer).image);
    });
    this.OPTION4(() => {
      this.CONSUME(k('SOFFSET'));
      limits.seriesOffset = Number(this.CONSUME4(t.Integer).image);
    });
    return limits;
  });

  readonly timeZoneClause = this.RULE('timeZoneClause', (): string | undefined => {
    let zone: string | undefined;
    this.OPTION({
      GATE: () => this.LA(1).image.toLowerCase() === 'tz',
      DEF: () => {
        this.CONSUME(t.Identifier);
        this.CONSUME(t.OpenParen);
        const argument = this.SUBRULE(this.expression);
        this.CONSUME(t.CloseParen);
        zone = this.ACTION(() => zoneOf(argument));
      },
    });
    return zone;
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
    const order = this.SUBRULE(this.orderClause);
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
