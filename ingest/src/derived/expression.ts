import { createToken, EmbeddedActionsParser, type IToken, Lexer, type TokenType } from 'chevrotain';

/** Computes an expression; its values stand in the order of its inputs. */
type Compute = (values: ArrayLike<number>) => number;

export interface Expression {
  /** The metrics that it names, each once. */
  readonly inputs: readonly string[];
  readonly compute: Compute;
}

interface MathFunction {
  least: number;
  most: number;
  call: (...values: number[]) => number;
}

const MAX_DEPTH = 100;
const MAX_ARGUMENTS = 16;

const unary = (call: (value: number) => number): MathFunction => ({ least: 1, most: 1, call });
const functions: ReadonlyMap<string, MathFunction> = new Map([
  ...(['abs', 'acos', 'asin', 'atan', 'ceil', 'cos', 'exp', 'floor', 'sin', 'sqrt', 'tan'] as const).map(
    (name) => [name, unary(Math[name])] as const,
  ),
  ['ln', unary(Math.log)],
  ['log2', unary(Math.log2)],
  ['log10', unary(Math.log10)],
  ['atan2', { least: 2, most: 2, call: Math.atan2 }],
  ['pow', { least: 2, most: 2, call: Math.pow }],
  ['min', { least: 1, most: MAX_ARGUMENTS, call: Math.min }],
  ['max', { least: 1, most: MAX_ARGUMENTS, call: Math.max }],
  ['round', { least: 1, most: 2, call: roundTo }],
]);

const NumberToken = createToken({ name: 'number', pattern: /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/ });
/** Letters of any script; the lexer drops the flag that would name them. */
const Name = createToken({ name: 'name', pattern: /[A-Za-z_\u0080-\uffff][A-Za-z0-9_.\u0080-\uffff]*/ });
const QuotedName = createToken({ name: 'quoted name', pattern: /"[^"]+"/, line_breaks: true });
const Sum = createToken({ name: '+ or -', pattern: /[+-]/ });
const Product = createToken({ name: '*, / or %', pattern: /[*/%]/ });
const Power = createToken({ name: '^', pattern: /\^/ });
const Open = createToken({ name: '(', pattern: /\(/ });
const Close = createToken({ name: ')', pattern: /\)/ });
const Comma = createToken({ name: ',', pattern: /,/ });
const Space = createToken({ name: 'space', pattern: /\s+/, group: Lexer.SKIPPED });
const tokens: TokenType[] = [NumberToken, Name, QuotedName, Sum, Product, Power, Open, Close, Comma, Space];
const lexer = new Lexer(tokens, { ensureOptimizations: false });

/** Sums, products, signs, powers (from the right), functions, numbers and names of metrics. */
class Grammar extends EmbeddedActionsParser {
  #slots = new Map<string, number>();

  constructor() {
    super(tokens, { recoveryEnabled: false });
    this.performSelfAnalysis();
  }

  /** The expression of the tokens; its names in the order that they came first. */
  read(input: IToken[]): { compute: Compute; inputs: string[] } {
    this.#slots = new Map();
    this.input = input;
    const compute = this.sum();
    return { compute, inputs: [...this.#slots.keys()] };
  }

  readonly sum = this.RULE('sum', (): Compute => {
    let left = this.SUBRULE(this.product);
    this.MANY(() => {
      const sign = this.CONSUME(Sum).image;
      const right = this.SUBRULE2(this.product);
      left = this.ACTION(() => binary(sign, left, right));
    });
    return left;
  });

  readonly product = this.RULE('product', (): Compute => {
    let left = this.SUBRULE(this.signed);
    this.MANY(() => {
      const sign = this.CONSUME(Product).image;
      const right = this.SUBRULE2(this.signed);
      left = this.ACTION(() => binary(sign, left, right));
    });
    return left;
  });

  readonly signed = this.RULE(
    'signed',
    (): Compute =>
      this.OR([
        {
          ALT: () => {
            const sign = this.CONSUME(Sum).image;
            const operand = this.SUBRULE(this.signed);
            return sign === '-' ? (values: ArrayLike<number>) => -operand(values) : operand;
          },
        },
        { ALT: () => this.SUBRULE(this.power) },
      ]),
  );

  readonly power = this.RULE('power', (): Compute => {
    let result = this.SUBRULE(this.operand);
    this.OPTION(() => {
      this.CONSUME(Power);
      const exponent = this.SUBRULE(this.signed);
      result = this.ACTION(() => binary('^', result, exponent));
    });
    return result;
  });

  readonly operand = this.RULE(
    'operand',
    (): Compute =>
      this.OR([
        {
          ALT: () => {
            const value = Number(this.CONSUME(NumberToken).image);
            return () => value;
          },
        },
        {
          ALT: () => {
            this.CONSUME(Open);
            const inner = this.SUBRULE(this.sum);
            this.CONSUME(Close);
            return inner;
          },
        },
        {
          GATE: () => this.LA(2).tokenType === Open,
          ALT: () => this.SUBRULE(this.call),
        },
        { ALT: () => this.#metric(this.CONSUME(Name).image) },
        { ALT: () => this.#metric(this.CONSUME(QuotedName).image.slice(1, -1)) },
      ]),
  );

  readonly call = this.RULE('call', (): Compute => {
    const name = this.CONSUME(Name).image;
    const given: Compute[] = [];
    this.CONSUME(Open);
    this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => given.push(this.SUBRULE(this.sum)) });
    this.CONSUME(Close);
    return this.ACTION(() => calling(name, given));
  });

  #metric(name: string): Compute {
    const slot = this.#slots.get(name) ?? this.#slots.size;
    this.#slots.set(name, slot);
    return (values) => values[slot]!;
  }
}

let grammar: Grammar | undefined;

/** Reads an expression over metrics; throws an Error that says what is wrong with it, and where. */
export function parseExpression(text: string): Expression {
  const { tokens: found, errors } = lexer.tokenize(text);
  const illegal = errors[0];
  if (illegal !== undefined) throw new Error(`unexpected ${text[illegal.offset]} at ${illegal.offset + 1}`);
  assertShallow(found);
  grammar ??= new Grammar();
  const expression = grammar.read(found);
  const fault = grammar.errors[0];
  if (fault !== undefined) {
    const { image, startOffset } = fault.token;
    throw new Error(image === '' ? 'it ends too early' : `unexpected ${image} at ${startOffset + 1}`);
  }
  if (expression.inputs.length === 0) throw new Error('it names no metric');
  return expression;
}

/** Signs, powers and parentheses stand before one another without a bound of their own. */
function assertShallow(found: readonly IToken[]): void {
  const deep = found.filter(
    ({ tokenType }) => tokenType === Open || tokenType === Sum || tokenType === Power,
  );
  if (deep.length > MAX_DEPTH) throw new Error(`it has more than ${MAX_DEPTH} parentheses, signs and powers`);
}

function binary(operator: string, left: Compute, right: Compute): Compute {
  switch (operator) {
    case '+':
      return (values) => left(values) + right(values);
    case '-':
      return (values) => left(values) - right(values);
    case '*':
      return (values) => left(values) * right(values);
    case '/':
      return (values) => left(values) / right(values);
    case '%':
      return (values) => left(values) % right(values);
    default:
      return (values) => left(values) ** right(values);
  }
}

function calling(name: string, given: readonly Compute[]): Compute {
  const found = functions.get(name);
  if (found === undefined)
    throw new Error(`no function ${name}; there are ${[...functions.keys()].join(', ')}`);
  const { least, most, call } = found;
  if (given.length < least || given.length > most) {
    const count = least === most ? String(least) : `${least} to ${most}`;
    throw new Error(`${name} takes ${count} values, not ${given.length}`);
  }
  return (values) => call(...given.map((one) => one(values)));
}

/** To so many decimals. */
function roundTo(value: number, decimals = 0): number {
  const factor = 10 ** decimals;
  return Math.round(value * factor) / factor;
}
