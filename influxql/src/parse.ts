import {
  EOF,
  type IParserErrorMessageProvider,
  type IRecognitionException,
  type IToken,
  type TokenType,
  tokenLabel,
} from 'chevrotain';
import type { ParsedStatement } from './ast.ts';
import { bindParameters, type Parameters } from './bind-parameters.ts';
import { Grammar } from './grammar.ts';
import { BadString, BinaryOperator, lexer, MatchOperator, Regex, Semicolon } from './lexer.ts';
import { ParseError } from './parse-error.ts';

/** Deeper nesting and longer expressions are refused, so that no query can exhaust the stack. */
const MAX_DEPTH = 200;
const MAX_OPERATORS = 2000;
/** Reading takes the main thread some 3 µs a character at worst. */
const MAX_LENGTH = 128 * 1024;

const statementWords = 'SELECT, DELETE, SHOW, CREATE, DROP, EXPLAIN, GRANT, REVOKE, ALTER, SET, KILL';

/** What could have stood there, in InfluxDB's words; `describe` says what was found, and where. */
const expectations: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: ({ expected }) => tokenLabel(expected),
  buildNotAllInputParsedMessage: () => ';',
  buildNoViableAltMessage: ({ expectedPathsPerAlt, customUserDescription }) =>
    customUserDescription ?? firstsOf(expectedPathsPerAlt.flat()),
  buildEarlyExitMessage: ({ expectedIterationPaths, customUserDescription }) =>
    customUserDescription ?? firstsOf(expectedIterationPaths),
};
const grammar = new Grammar(expectations);

/**
 * The statements of a query, with the values of `parameters` where it names them (`$name`). Throws ParseError with the
 * message that InfluxDB gives, as far as we know it.
 */
export function parseInfluxql(text: string, parameters: Parameters = {}): ParsedStatement[] {
  if (text.length > MAX_LENGTH) throw new ParseError(`query is longer than ${MAX_LENGTH} characters`);
  const tokens = bindParameters(lexer.tokenize(text).tokens, parameters);
  assertShallow(tokens);
  grammar.input = tokens;
  const statements = grammar.query();
  const fault = grammar.errors[0];
  if (fault) throw new ParseError(describe(fault, text));
  return statements;
}

function assertShallow(tokens: readonly IToken[]): void {
  let depth = 0;
  let operators = 0;
  for (const { image, tokenType } of tokens) {
    if (image === '(') depth++;
    else if (image === ')') depth--;
    if (depth > MAX_DEPTH) throw new ParseError(`parentheses are nested more than ${MAX_DEPTH} deep`);
    // Signs stand before one another without a bound of their own.
    if (tokenType.CATEGORIES?.some((category) => isOperator(category))) operators++;
    if (tokenType === Semicolon) operators = 0;
    if (operators > MAX_OPERATORS) throw new ParseError(`statement has more than ${MAX_OPERATORS} operators`);
  }
}

function isOperator(category: TokenType): boolean {
  return category === BinaryOperator || category === MatchOperator;
}

/** True when nothing but a semicolon, or nothing at all, stands before the token. */
function beginsStatement({ startOffset }: IToken, text: string): boolean {
  return /(?:^|;)\s*$/.test(text.slice(0, startOffset));
}

function describe(fault: IRecognitionException, text: string): string {
  const { token } = fault;
  const message = fault.message === ';' && beginsStatement(token, text) ? statementWords : fault.message;
  const { tokenType, image, startLine = 1, startColumn = 1 } = token;
  const at = (line: number, column: number): string => `at line ${line}, char ${column}`;
  const found = (word: string, place: string): string => `found ${word}, expected ${message} ${place}`;
  if (message === statementWords && statementWords.split(', ').includes(tokenType.name)) {
    return `${tokenType.name} is not supported, only SELECT, SHOW and CREATE DATABASE are`;
  }
  if (tokenType === EOF) return found('EOF', at(...endOf(text)));
  if (tokenType === BadString) return found(image.slice(1), at(startLine, startColumn - 1));
  if (tokenType === Regex) return found('/', at(startLine, startColumn));
  if (image === '/' && message === tokenLabel(Regex)) return `bad regex:  ${at(startLine, startColumn - 1)}`;
  const isWord = /^[A-Z]+$/.test(tokenType.name);
  return found(isWord ? tokenType.name : bare(image), at(startLine, startColumn));
}

/** Where InfluxDB says that a query ends: a place behind its last character, or at it when that is a space. */
function endOf(text: string): [line: number, column: number] {
  const lines = text.split('\n');
  const last = lines.at(-1)!;
  return [lines.length, /\s$/.test(last) ? last.length : last.length + 2];
}

function bare(image: string): string {
  return /^["'].*["']$/s.test(image) ? image.slice(1, -1) : image;
}

function firstsOf(paths: readonly TokenType[][]): string {
  return [...new Set(paths.map(([first]) => tokenLabel(first!)))].join(', ');
}
