import { parseJson, readYaml, TidemarkError } from '@tidemark/core';
import { ask } from '../ask.ts';
import { type ConnectionOptions, type HttpConnection, httpConnection } from '../connection.ts';
import { type Item, toTable } from '../table.ts';
import { type ListOptions, printPage } from './alerts.ts';

export type RuleOptions = ConnectionOptions & {
  json?: boolean;
  note?: string;
  allowUnknown?: boolean;
  from?: string;
  to?: string;
};

interface Fault {
  path: string;
  message: string;
}

const conditions = ['above', 'below', 'inside', 'outside', 'rate', 'absent', 'stuck', 'quality'];

/** `tidemark rules list`. */
export async function list(options: ListOptions): Promise<void> {
  await printPage('rules', options, (rule) => {
    const kind = conditions.find((name) => rule[name] !== undefined) ?? '';
    const condition = `${kind} ${asText(rule[kind])}`;
    const { id, metric, sensors, severity = 'warning', source } = rule;
    return { id, metric, condition, sensors: asText(sensors), for: rule.for, severity, source };
  });
}

/** `tidemark rules show`. */
export async function show(id: string, options: RuleOptions): Promise<void> {
  const body = await ask(httpConnection(options), { path: pathOf(id) });
  if (options.json) return void process.stdout.write(`${body.trimEnd()}\n`);
  const entry = parseJson(body) as Item;
  process.stdout.write(toTable(Object.entries(entry).map(([member, value]) => ({ member, value }))));
}

/** `tidemark rules validate`: fails where a rule is wrong, so that scripts can tell. */
export async function validate(file: string, options: RuleOptions): Promise<void> {
  const rules = rulesOf(file);
  const doubts = await refuseFaults(httpConnection(options), rules);
  if (options.json)
    return void process.stdout.write(`${JSON.stringify({ valid: rules.length, warnings: doubts })}\n`);
  for (const { path, message } of doubts) process.stdout.write(`${textOf(path, message)}\n`);
  const count = doubts.length === 1 ? '1 warning' : `${doubts.length} warnings`;
  process.stdout.write(`${rules.length} rules, no fault${doubts.length === 0 ? '' : `, ${count}`}\n`);
}

/** `tidemark rules import`. */
export async function importFile(file: string, options: RuleOptions): Promise<void> {
  const rules = rulesOf(file);
  const { note, allowUnknown = false } = options;
  const connection = httpConnection(options);
  await refuseFaults(connection, rules, allowUnknown ? [] : ['metric']);
  const parameters = { note, unknownMetric: allowUnknown ? 'allow' : undefined };
  const known = new Set((await allRules(connection)).map(({ id }) => id));
  for (const rule of rules) {
    const isKnown = known.has(rule.id);
    const ifMatch = isKnown ? '*' : undefined;
    await ask(connection, { method: 'PUT', path: pathOf(String(rule.id)), parameters, body: rule, ifMatch });
  }
  const replaced = rules.filter(({ id }) => known.has(id)).length;
  const created = rules.length - replaced;
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ created, replaced })}\n`
      : `${created} created, ${replaced} replaced\n`,
  );
}

/** `tidemark rules dry-run`. */
export async function dryRun(file: string, options: RuleOptions): Promise<void> {
  const { from, to, json } = options;
  const rows: Item[] = [];
  for (const rule of rulesOf(file)) {
    const question = { method: 'POST', path: 'rules/dry-run', parameters: { from, to }, body: rule } as const;
    const answer = await ask(httpConnection(options), question);
    if (json) process.stdout.write(`${answer.trimEnd()}\n`);
    const { readings, firings, sensors, cutOff } = parseJson(answer) as Item & { sensors: Item[] };
    rows.push({ rule: rule.id, readings, firings, sensors: sensors.length, 'cut off at': cutOff });
  }
  if (!json) process.stdout.write(toTable(rows));
}

/** `tidemark rules remove`. */
export async function remove(id: string, options: RuleOptions): Promise<void> {
  const { note, json } = options;
  const question = { method: 'DELETE', path: pathOf(id), parameters: { note } } as const;
  const answer = await ask(httpConnection(options), question);
  process.stdout.write(json ? `${answer.trimEnd()}\n` : `${id} is deleted\n`);
}

/** The doubts about rules. Throws when any is wrong, naming every fault with its place in the file. */
async function refuseFaults(
  connection: HttpConnection,
  rules: readonly Item[],
  refusedDoubts: readonly string[] = [],
): Promise<Fault[]> {
  const issues: Fault[] = [];
  const doubts: Fault[] = [];
  for (const [index, body] of rules.entries()) {
    const answer = await ask(connection, { method: 'POST', path: 'rules/validate', body });
    const { errors, warnings } = parseJson(answer) as { errors: Fault[]; warnings: Fault[] };
    const placed = ({ path, message }: Fault): Fault => ({
      path: path === '' ? `rules.${index}` : `rules.${index}.${path}`,
      message,
    });
    issues.push(...errors.map(placed));
    for (const doubt of warnings) (refusedDoubts.includes(doubt.path) ? issues : doubts).push(placed(doubt));
  }
  if (issues.length === 0) return doubts;
  const text = issues.map(({ path, message }) => textOf(path, message)).join('; ');
  throw new TidemarkError('bad_request', text, { issues });
}

/** As in a cell of a table: `10m`, `a, b`, `{"above":5,"per":"1m"}`. */
function asText(value: unknown): string {
  if (Array.isArray(value)) return value.join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value ?? '');
}

function textOf(path: string, message: string): string {
  return `${path}: ${message}`;
}

async function allRules(connection: HttpConnection): Promise<Item[]> {
  const all: Item[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const body = await ask(connection, { path: 'rules', parameters: { limit: 1000, cursor } });
    const page = parseJson(body) as { items: Item[]; next: string | null };
    all.push(...page.items);
    cursor = page.next;
  }
  return all;
}

function rulesOf(file: string): Item[] {
  const { rules } = readYaml(file);
  if (Array.isArray(rules) && rules.length > 0) return rules as Item[];
  throw new TidemarkError('bad_request', `${file} holds no list \`rules\``);
}

function pathOf(id: string): string {
  return `rules/${encodeURIComponent(id)}`;
}
