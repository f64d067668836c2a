export { parseInfluxql } from './parse.ts';
export { ParseError } from './parse-error.ts';
