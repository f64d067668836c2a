import { createToken, type IToken, type ITokenConfig, Lexer, type TokenType } from 'chevrotain';

// Tokens: https://docs.influxdata.com/influxdb/v1/query_language/spec/, from "Identifiers" to "Literals".

export const Identifier = createToken({
  name: 'Identifier',
  label: 'identifier',
  pattern: /[a-zA-Z_][a-zA-Z0-9_]*/,
});

/** Whatever may stand between two operands. */
export const BinaryOperator = createToken({ name: 'BinaryOperator', label: 'operator', pattern: Lexer.NA });
/** Operators that want a regular expression on their right. */
export const MatchOperator = createToken({ name: 'MatchOperator', label: 'operator', pattern: Lexer.NA });
const isOperator = { categories: [BinaryOperator] };

/** Words that name nothing unless they are quoted. */
const reservedWords =
  'ALL ALTER ANALYZE AND ANY AS ASC BEGIN BY CARDINALITY CONTINUOUS CREATE DATABASE DATABASES DEFAULT DELETE DESC ' +
  'DESTINATIONS DIAGNOSTICS DISTINCT DROP DURATION END EVERY EXACT EXPLAIN FIELD FOR FROM FUTURE GRANT GRANTS GROUP ' +
  'GROUPS IN INSERT INTO KEY KEYS KILL LIMIT MEASUREMENT MEASUREMENTS NAME OFFSET ON OR ORDER PASSWORD PAST ' +
  'POLICIES POLICY PRIVILEGES QUERIES QUERY READ REPLICATION RESAMPLE RETENTION REVOKE SELECT SERIES SET SHARD ' +
  'SHARDS SHOW SLIMIT SOFFSET STATS SUBSCRIPTION SUBSCRIPTIONS TAG TO USER USERS VALUES VERBOSE WHERE WITH WRITE';

const keywords = new Map(
  reservedWords.split(' ').map((word) => {
    const pattern = new RegExp(`${word}(?![a-zA-Z0-9_])`, 'i');
    const categories = word === 'AND' || word === 'OR' ? [BinaryOperator] : [];
    return [word, createToken({ name: word, pattern, categories })] as const;
  }),
);

/** The token of a reserved word. */
export function keyword(word: string): TokenType {
  const token = keywords.get(word);
  if (!token) throw new Error(`${word} is no keyword`);
  return token;
}

export const True = createToken({ name: 'True', label: 'true', pattern: /true(?![a-zA-Z0-9_])/i });
export const False = createToken({ name: 'False', label: 'false', pattern: /false(?![a-zA-Z0-9_])/i });
export const QuotedIdentifier = createToken({
  name: 'QuotedIdentifier',
  label: 'identifier',
  pattern: /"(?:[^"\\\n]|\\["\\n])*"/,
});
export const Text = createToken({ name: 'Text', label: 'string', pattern: /'(?:[^'\\\n]|\\['"\\n])*'/ });
export const Duration = createToken({
  name: 'Duration',
  label: 'duration',
  pattern: /(?:\d+(?:ns|us|ms|[uµsmhdw]))+/,
});
export const Decimal = createToken({ name: 'Decimal', label: 'number', pattern: /\d+\.\d*|\.\d+/ });
export const Integer = createToken({ name: 'Integer', label: 'integer', pattern: /\d+/ });

/** A value that is sent beside the query. */
export const Parameter = createToken({
  name: 'Parameter',
  pattern: /\$(?:[a-zA-Z_][a-zA-Z0-9_]*|"(?:[^"\\\n]|\\["\\n])*"|)/,
});

/** A quote that is never closed. */
export const BadString = createToken({ name: 'BadString', pattern: /["'][^\n]*/ });
/** Anything else: refused with its place, like any token that stands wrong. */
const Illegal = createToken({ name: 'Illegal', pattern: /[^\s]/ });

const symbol = (name: string, options: Partial<ITokenConfig> = {}): TokenType =>
  createToken({ name, pattern: name, ...options });

export const Semicolon = symbol(';');
export const Comma = symbol(',');
export const Dot = symbol('.');
export const OpenParen = symbol('(');
export const CloseParen = symbol(')');
export const Cast = symbol('::');
const Colon = symbol(':');
export const Star = symbol('*', isOperator);
export const Plus = symbol('+', isOperator);
export const Minus = symbol('-', isOperator);
const Slash = symbol('/', isOperator);
const Percent = symbol('%', isOperator);
const Ampersand = symbol('&', isOperator);
const Bar = symbol('|', isOperator);
const Caret = symbol('^', isOperator);
export const Equals = symbol('=', isOperator);
export const NotEquals = createToken({ name: '!=', pattern: /!=|<>/, ...isOperator });
export const Matches = symbol('=~', { categories: [MatchOperator] });
export const MatchesNot = symbol('!~', { categories: [MatchOperator] });
const LessOrEqual = symbol('<=', isOperator);
const Less = symbol('<', isOperator);
const GreaterOrEqual = symbol('>=', isOperator);
const Greater = symbol('>', isOperator);

/** Behind these a slash divides; anywhere else it begins a regular expression. */
const operands: TokenType[] = [
  Identifier,
  QuotedIdentifier,
  Text,
  Duration,
  Decimal,
  Integer,
  CloseParen,
  Star,
  True,
  False,
  Parameter,
];
const regexPattern = /\/(?:[^/\\\n]|\\.)+\//y;

function matchRegex(text: string, offset: number, before: IToken[]): RegExpExecArray | null {
  const last = before.at(-1);
  if (last !== undefined && operands.includes(last.tokenType)) return null;
  regexPattern.lastIndex = offset;
  return regexPattern.exec(text);
}

export const Regex = createToken({
  name: 'Regex',
  label: 'regex',
  pattern: matchRegex,
  line_breaks: false,
  start_chars_hint: ['/'],
});

const skipped = [
  createToken({ name: 'space', pattern: /\s+/, group: Lexer.SKIPPED }),
  createToken({ name: 'line comment', pattern: /--[^\n]*/, group: Lexer.SKIPPED }),
  createToken({
    name: 'block comment',
    pattern: /\/\*[\s\S]*?\*\//,
    group: Lexer.SKIPPED,
    line_breaks: true,
  }),
];

/** In the order in which they are tried. */
export const tokens: TokenType[] = [
  ...skipped,
  BinaryOperator,
  MatchOperator,
  Regex,
  ...keywords.values(),
  True,
  False,
  Identifier,
  QuotedIdentifier,
  Text,
  Duration,
  Decimal,
  Integer,
  Parameter,
  Semicolon,
  Comma,
  Dot,
  OpenParen,
  CloseParen,
  Cast,
  Colon,
  Star,
  Plus,
  Minus,
  Slash,
  Percent,
  Ampersand,
  Bar,
  Caret,
  Matches,
  Equals,
  NotEquals,
  MatchesNot,
  LessOrEqual,
  Less,
  GreaterOrEqual,
  Greater,
  BadString,
  Illegal,
];

export const lexer = new Lexer(tokens, { positionTracking: 'full' });
