import type {
  Dimension,
  Expression,
  FillOption,
  MeasurementSource,
  SelectField,
  SelectStatement,
  Source,
} from './ast.ts';
import { assertTime, fillOf, zoneOf } from './clauses.ts';
import { withExactTexts } from './exact-texts.ts';
import { ExpressionGrammar, operandWords } from './expression-grammar.ts';
import * as t from './lexer.ts';

const k = t.keyword;

/** More rows than anybody is answered; numbers that are larger mean the same. */
const MAX_COUNT = 2 ** 31;

/** The rules of SELECT and of the clauses that SHOW has as well; each answers its part of the tree. */
export abstract class SelectGrammar extends ExpressionGrammar {
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
    return { kind: 'select', fields, sources, where, groupBy, fill, ...order, ...limits, timeZone };
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
              // A tag may say that it is one.
              const reference = this.SUBRULE(this.reference);
              let args: Expression[] | undefined;
              this.OPTION(() => {
                this.CONSUME(t.OpenParen);
                const list: Expression[] = [];
                this.MANY_SEP({ SEP: t.Comma, DEF: () => list.push(this.SUBRULE(this.expression)) });
                this.CONSUME(t.CloseParen);
                args = list;
              });
              const name = this.ACTION(() => (reference as { name: string }).name);
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
      const condition = this.SUBRULE(this.expression);
      where = this.ACTION(() => withExactTexts(condition));
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

  readonly orderClause = this.RULE('orderClause', (): Pick<SelectStatement, 'order' | 'isOrdered'> => {
    let order: 'asc' | 'desc' = 'asc';
    let isOrdered = false;
    this.OPTION(() => {
      isOrdered = true;
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
    return { order, isOrdered };
  });

  readonly limits = this.RULE('limits', () => {
    const limits = { limit: 0, offset: 0, seriesLimit: 0, seriesOffset: 0 };
    this.OPTION(() => {
      this.CONSUME(k('LIMIT'));
      limits.limit = countOf(this.CONSUME(t.Integer).image);
    });
    this.OPTION2(() => {
      this.CONSUME(k('OFFSET'));
      limits.offset = countOf(this.CONSUME2(t.Integer).image);
    });
    this.OPTION3(() => {
      this.CONSUME(k('SLIMIT'));
      limits.seriesLimit = countOf(this.CONSUME3(t.Integer).image);
    });
    this.OPTION4(() => {
      this.CONSUME(k('SOFFSET'));
      limits.seriesOffset = countOf(this.CONSUME4(t.Integer).image);
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
}

function countOf(image: string): number {
  return Math.min(Number(image), MAX_COUNT);
}
