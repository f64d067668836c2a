import { EmbeddedActionsParser, type IParserErrorMessageProvider } from 'chevrotain';
import type { CastType, Expression, Operator } from './ast.ts';
import * as t from './lexer.ts';
import { durationNs, integerOf, regexSource, unquote } from './literals.ts';
import { negated, treeOf } from './operators.ts';

const k = t.keyword;
const castTypes: readonly string[] = ['float', 'integer', 'unsigned', 'string', 'boolean'];

/** What InfluxDB says could have stood where an expression should. */
export const operandWords = 'identifier, string, number, bool';

/** The rules of expressions; each answers its part of the tree. */
export abstract class ExpressionGrammar extends EmbeddedActionsParser {
  constructor(errorMessageProvider: IParserErrorMessageProvider) {
    super(t.tokens, { errorMessageProvider, maxLookahead: 2, recoveryEnabled: false });
  }

  readonly expression = this.RULE('expression', (): Expression => {
    const operands = [this.SUBRULE(this.operand)];
    const operators: Operator[] = [];
    this.MANY(() => {
      this.OR([
        {
          ALT: () => {
            operators.push(this.CONSUME(t.MatchOperator).image as Operator);
            operands.push({ kind: 'regex', source: this.SUBRULE(this.regex) });
          },
        },
        {
          ALT: () => {
            const { image } = this.CONSUME(t.BinaryOperator);
            operators.push((image === '<>' ? '!=' : image.toUpperCase()) as Operator);
            operands.push(this.SUBRULE2(this.operand));
          },
        },
      ]);
    });
    return this.ACTION(() => treeOf(operands, operators));
  });

  readonly operand = this.RULE(
    'operand',
    (): Expression =>
      this.OR({
        ERR_MSG: operandWords,
        DEF: [
          { ALT: () => this.SUBRULE(this.parenthesized) },
          { ALT: () => this.SUBRULE(this.negated) },
          { ALT: () => this.SUBRULE(this.literal) },
          { ALT: () => this.SUBRULE(this.wildcard) },
          { ALT: () => this.SUBRULE(this.distinct) },
          { ALT: () => this.SUBRULE(this.referenceOrCall) },
        ],
      }),
  );

  /** What a field and an argument of a function may be. */
  readonly regexOrExpression = this.RULE(
    'regexOrExpression',
    (): Expression =>
      this.OR({
        ERR_MSG: operandWords,
        DEF: [
          { ALT: (): Expression => ({ kind: 'regex', source: this.SUBRULE(this.regex) }) },
          { ALT: () => this.SUBRULE(this.expression) },
        ],
      }),
  );

  readonly parenthesized = this.RULE('parenthesized', (): Expression => {
    this.CONSUME(t.OpenParen);
    const inner = this.SUBRULE(this.expression);
    this.CONSUME(t.CloseParen);
    return { kind: 'paren', inner };
  });

  readonly negated = this.RULE('negated', (): Expression => {
    const sign = this.OR([{ ALT: () => this.CONSUME(t.Minus) }, { ALT: () => this.CONSUME(t.Plus) }]);
    const operand = this.SUBRULE(this.operand);
    return this.ACTION(() => (sign.image === '-' ? negated(operand) : operand));
  });

  readonly literal = this.RULE(
    'literal',
    (): Expression =>
      this.OR([
        { ALT: (): Expression => ({ kind: 'string', value: unquote(this.CONSUME(t.Text).image) }) },
        { ALT: (): Expression => ({ kind: 'number', value: Number(this.CONSUME(t.Decimal).image) }) },
        {
          ALT: (): Expression => {
            const token = this.CONSUME(t.Integer);
            return this.ACTION(() => ({ kind: 'integer', value: integerOf(token) }));
          },
        },
        {
          ALT: (): Expression => {
            const { image } = this.CONSUME(t.Duration);
            return this.ACTION(() => ({ kind: 'duration', ns: durationNs(image) }));
          },
        },
        {
          ALT: (): Expression => {
            this.CONSUME(t.True);
            return { kind: 'boolean', value: true };
          },
        },
        {
          ALT: (): Expression => {
            this.CONSUME(t.False);
            return { kind: 'boolean', value: false };
          },
        },
      ]),
  );

  readonly wildcard = this.RULE('wildcard', (): Expression => {
    this.CONSUME(t.Star);
    let of: 'field' | 'tag' | undefined;
    this.OPTION(() => {
      this.CONSUME(t.Cast);
      const word = this.OR([{ ALT: () => this.CONSUME(k('FIELD')) }, { ALT: () => this.CONSUME(k('TAG')) }]);
      of = this.ACTION(() => word.image.toLowerCase() as 'field' | 'tag');
    });
    return { kind: 'wildcard', of };
  });

  /** `DISTINCT field` means `distinct(field)`. */
  readonly distinct = this.RULE('distinct', (): Expression => {
    this.CONSUME(k('DISTINCT'));
    const argument = this.OR([
      { ALT: () => this.SUBRULE(this.parenthesized) },
      { ALT: () => this.SUBRULE(this.reference) },
    ]);
    return this.ACTION(() => ({
      kind: 'call',
      name: 'distinct',
      args: [argument.kind === 'paren' ? argument.inner : argument],
    }));
  });

  readonly referenceOrCall = this.RULE('referenceOrCall', (): Expression => {
    const reference = this.SUBRULE(this.reference);
    let call: Expression | undefined;
    this.OPTION(() => {
      this.CONSUME(t.OpenParen);
      const args: Expression[] = [];
      this.MANY_SEP({ SEP: t.Comma, DEF: () => args.push(this.SUBRULE(this.regexOrExpression)) });
      this.CONSUME(t.CloseParen);
      call = this.ACTION(() => ({
        kind: 'call',
        name: (reference as { name: string }).name.toLowerCase(),
        args,
      }));
    });
    return call ?? reference;
  });

  /** `field`, `"a field"`, `a.b`, each perhaps with `::` and what it is. */
  readonly reference = this.RULE('reference', (): Expression => {
    const parts = [this.SUBRULE(this.name)];
    this.MANY(() => {
      this.CONSUME(t.Dot);
      parts.push(this.SUBRULE2(this.name));
    });
    let cast: CastType | undefined;
    this.OPTION(() => {
      this.CONSUME(t.Cast);
      const word = this.OR({
        ERR_MSG: [...castTypes, 'field', 'tag'].join(', '),
        DEF: [
          { ALT: () => this.CONSUME(k('FIELD')) },
          { ALT: () => this.CONSUME(k('TAG')) },
          {
            GATE: () => castTypes.includes(this.LA(1).image.toLowerCase()),
            ALT: () => this.CONSUME(t.Identifier),
          },
        ],
      });
      cast = this.ACTION(() => word.image.toLowerCase() as CastType);
    });
    return this.ACTION(() => ({ kind: 'reference', name: parts.join('.'), cast }));
  });

  readonly name = this.RULE('name', (): string =>
    this.OR({
      ERR_MSG: 'identifier',
      DEF: [
        { ALT: () => this.CONSUME(t.Identifier).image },
        { ALT: () => unquote(this.CONSUME(t.QuotedIdentifier).image) },
      ],
    }),
  );

  readonly regex = this.RULE('regex', (): string => regexSource(this.CONSUME(t.Regex).image));
}
