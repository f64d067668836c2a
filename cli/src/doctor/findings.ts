/** What was looked at, and how it is. */
export interface Finding {
  what: string;
  status: 'passed' | 'warned' | 'stopped' | 'skipped';
  message: string;
  hint?: string | null | undefined;
}

const marks: Record<Finding['status'], string> = { passed: '✓', warned: '!', stopped: '✗', skipped: '·' };

/** A line for each finding, with what to do below it. */
export function toLines(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ what }) => what.length));
  return findings
    .map(({ what, status, message, hint }) => {
      const line = `  ${marks[status]} ${what.padEnd(width)}  ${printable(message)}\n`;
      return hint === undefined || hint === null
        ? line
        : `${line}    ${' '.repeat(width)}  → ${printable(hint)}\n`;
    })
    .join('');
}

/** What devices send may steer a terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '\u{fffd}');
}
