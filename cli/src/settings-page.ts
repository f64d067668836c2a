import { type Config, listSettings, loadConfig } from '@tidemark/core';

/** `docs/configuration.md`: every setting of the schema with its default, as Markdown. */
export function settingsPage(): string {
  const defaults = loadConfig();
  const settings = listSettings().map(({ path, env, description }) => [
    `\`${path}\``,
    `\`${env}\``,
    showDefault(defaults, path),
    description,
  ]);
  return `# Settings

<!-- Made from core/src/config.ts by cli/src/settings-page.ts; CONTRIBUTING.md says how to make it anew. -->

Each setting is an environment variable, or a key of \`tidemark.yaml\` in the working folder (another file by
\`--config\` or \`TIDEMARK_CONFIG\`). The environment wins over the file. Unknown keys are refused, and all faults are
reported at once. Lists are comma separated in the environment. Sizes are bytes and durations milliseconds.

${markdownTable([['key', 'variable', 'default', ''], ...settings])}

\`\`\`yaml
# tidemark.yaml
host: 127.0.0.1
mqtt:
  port: 1883
store:
  kind: influxdb
influx:
  url: http://127.0.0.1:8086
\`\`\`

## Commands that talk to a running platform

\`publish\`, \`replay\`, \`simulate\` and \`query\` reach the platform of the same settings, with the secrets that
\`tidemark init\` left in its data folder. For another one:

${markdownTable([
  ['option', 'variable', ''],
  [
    '`--url`',
    '`TIDEMARK_URL`',
    '`http://host:8080` for all of them (MQTT then goes over WebSocket), or `mqtt://host:1883`',
  ],
  ['`--username`, `--password`', '`TIDEMARK_USERNAME`, `TIDEMARK_PASSWORD`', 'MQTT user'],
  ['`--token`', '`TIDEMARK_TOKEN`', 'API token'],
])}
`;
}

function showDefault(defaults: Config, path: string): string {
  const value = path
    .split('.')
    .reduce<unknown>((node, key) => (node as Record<string, unknown>)[key], defaults);
  const text = Array.isArray(value) ? value.join(',') : String(value);
  return text === '' ? '' : `\`${text}\``;
}

/** Rows of cells, the heads first, as a table that is aligned in its source too. */
function markdownTable([heads = [], ...rows]: string[][]): string {
  const widths = heads.map((head, column) =>
    Math.max(3, head.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  return [heads, widths.map((width) => '-'.repeat(width)), ...rows].map(line).join('\n');
}
