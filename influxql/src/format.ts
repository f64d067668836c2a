import type { Expression } from './ast.ts';

/** An expression as InfluxQL, in the form in which InfluxDB quotes it in its errors. */
export function formatExpression(expression: Expression): string {
  switch (expression.kind) {
    case 'number':
      return Number.isInteger(expression.value) ? expression.value.toFixed(3) : String(expression.value);
    case 'integer':
      return String(expression.value);
    case 'string':
      return `'${escapeText(expression.value, "'")}'`;
    case 'boolean':
      return String(expression.value);
    case 'duration':
      return formatDurationLiteral(expression.ns);
    case 'time':
      return `'${new Date(Number(expression.ns / 1_000_000n)).toISOString().replace('.000', '')}'`;
    case 'regex':
      return `/${expression.source.replace(/\//g, '\\/')}/`;
    case 'reference':
      return formatName(expression.name) + (expression.cast === undefined ? '' : `::${expression.cast}`);
    case 'wildcard':
      return expression.of === undefined ? '*' : `*::${expression.of}`;
    case 'call':
      return `${expression.name}(${expression.args.map(formatExpression).join(', ')})`;
    case 'paren':
      return `(${formatExpression(expression.inner)})`;
    case 'binary':
      return `${formatExpression(expression.left)} ${expression.operator} ${formatExpression(expression.right)}`;
  }
}

/** A name, in quotes where it needs them. */
export function formatName(name: string): string {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : `"${escapeText(name, '"')}"`;
}

/** A duration in the largest unit that keeps it whole, weeks included. */
export function formatDurationLiteral(ns: bigint): string {
  if (ns === 0n) return '0s';
  const units: [string, bigint][] = [
    ['w', 604_800_000_000_000n],
    ['d', 86_400_000_000_000n],
    ['h', 3_600_000_000_000n],
    ['m', 60_000_000_000n],
    ['s', 1_000_000_000n],
    ['ms', 1_000_000n],
    ['u', 1000n],
  ];
  const [unit, sizeNs] = units.find(([, size]) => ns % size === 0n) ?? ['ns', 1n];
  return `${ns / sizeNs}${unit}`;
}

function escapeText(text: string, quote: string): string {
  return text.replace(/[\\\n'"]/g, (char) =>
    char === '\n' ? '\\n' : char === '\\' || char === quote ? `\\${char}` : char,
  );
}
