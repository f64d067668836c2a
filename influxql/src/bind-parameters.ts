import type { IToken, TokenType } from 'chevrotain';
import {
  Decimal,
  Duration,
  False,
  Integer,
  Minus,
  Parameter,
  QuotedIdentifier,
  Regex,
  Text,
  True,
} from './lexer.ts';
import { unquote } from './literals.ts';
import { ParseError } from './parse-error.ts';

/** Values that are sent beside a query, by the names that it has for them behind `$`. */
export type Parameters = Readonly<Record<string, unknown>>;

/** Of all values in all their places. */
const MAX_LENGTH = 128 * 1024;

type Literal = readonly [type: TokenType, image: string];

/**
 * The tokens, with the value of each `$name` in its place as one literal, so that no value can change the query:
 * text, a number, true or false, or `{"regex"}`, `{"identifier"}` or `{"duration"}` with a text.
 * Throws ParseError, in InfluxDB's words, where there is none.
 */
export function bindParameters(tokens: IToken[], parameters: Parameters): IToken[] {
  let length = 0;
  return tokens.flatMap((token) => {
    if (token.tokenType !== Parameter) return [token];
    return literalsOf(nameOf(token), parameters).map(([tokenType, image]): IToken => {
      length += image.length;
      if (length > MAX_LENGTH) throw new ParseError(`parameters are longer than ${MAX_LENGTH} characters`);
      return { ...token, tokenType, tokenTypeIdx: tokenType.tokenTypeIdx!, image };
    });
  });
}

function nameOf({ image }: IToken): string {
  const name = image.slice(1);
  if (name === '') throw new ParseError('empty bound parameter');
  return name.startsWith('"') ? unquote(name) : name;
}

function literalsOf(name: string, parameters: Parameters): Literal[] {
  if (!Object.hasOwn(parameters, name)) throw new ParseError(`missing parameter: ${name}`);
  const value = parameters[name];
  if (typeof value === 'string') return [[Text, quoted(value, "'")]];
  if (typeof value === 'boolean') return [[value ? True : False, String(value)]];
  if (typeof value === 'number' || typeof value === 'bigint') return numberOf(value);
  if (typeof value === 'object' && value !== null) {
    const [[kind, text] = [], ...others] = Object.entries(value);
    if (others.length > 0) throw unable(name);
    if (kind === 'regex' && typeof text === 'string' && text !== '')
      return [[Regex, `/${text.replaceAll('/', '\\/')}/`]];
    if (kind === 'identifier' && typeof text === 'string') return [[QuotedIdentifier, quoted(text, '"')]];
    if (kind === 'duration' && typeof text === 'string' && durations.test(text)) return [[Duration, text]];
  }
  throw unable(name);
}

function unable(name: string): ParseError {
  return new ParseError(`unable to bind parameter ${name}: its value is of no type that a query has`);
}

const durations = new RegExp(`^${(Duration.PATTERN as RegExp).source}$`);

function numberOf(value: number | bigint): Literal[] {
  const isWhole = typeof value === 'bigint' || Number.isSafeInteger(value);
  const size: Literal = [isWhole ? Integer : Decimal, String(value).replace('-', '')];
  return value < 0 ? [[Minus, '-'], size] : [size];
}

function quoted(text: string, quote: string): string {
  const inner = text.replace(/[\\'"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`));
  return `${quote}${inner}${quote}`;
}
