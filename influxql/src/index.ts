export * from './ast.ts';
export { parseInfluxql } from './parse.ts';
export { ParseError } from './parse-error.ts';
