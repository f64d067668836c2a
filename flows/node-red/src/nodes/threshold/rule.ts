import { createHash } from 'node:crypto';
import type { SettingsOf } from '../../fields/field.ts';
import { ConfigError } from '../../fields/spec.ts';
import { type Api, ApiError } from '../../platform/api.ts';
import type { spec } from './spec.ts';

type Settings = SettingsOf<typeof spec.fields>;
/** A rule as the API takes it. */
export type Rule = { id: string } & Readonly<Record<string, unknown>>;

interface Issue {
  path: string;
  message: string;
}

/** The rule of a threshold node: its id follows from the node's, so that it is the same after each deployment. */
export function ruleOf(nodeId: string, settings: Settings): Rule {
  const { metric, location, severity, message } = settings;
  const sensors = listOf(settings.sensors);
  const notify = listOf(settings.notify);
  return {
    id: idOf(nodeId),
    ...(metric !== undefined && { metric }),
    ...conditionOf(settings),
    ...(settings.for !== undefined && { for: settings.for }),
    ...(sensors.length > 0 && { sensors }),
    ...(location !== undefined && { location }),
    severity,
    ...(message !== undefined && { message }),
    ...(notify.length > 0 && { notify }),
  };
}

/**
 * Makes the platform's rule what the node says; what it warns of is returned. Throws `ConfigError` for a rule that
 * it refuses, and `ApiError` when it cannot be asked, or somebody else changed the rule meanwhile.
 */
export async function keepRule(api: Api, rule: Rule, note: string): Promise<Issue[]> {
  const { json } = await api.request('POST', '/api/v1/rules/validate', { body: rule });
  const { errors, warnings } = json as { errors: Issue[]; warnings: Issue[] };
  if (errors.length > 0) throw new ConfigError(errors.map(shown).join('; '));
  const path = `/api/v1/rules/${rule.id}`;
  const found = await ruleAt(api, path);
  if (found !== undefined && isSame(found.document, rule)) return warnings;
  await api.request('PUT', path, {
    body: rule,
    // Flows may be deployed before their sensors report: a metric that nobody knows yet is a warning here.
    query: { unknownMetric: 'allow', note },
    headers: found === undefined ? { 'if-none-match': '*' } : { 'if-match': found.etag },
  });
  return warnings;
}

/** Deletes the rule, if it is there. */
export async function removeRule(api: Api, { id }: Rule): Promise<void> {
  await api
    .request('DELETE', `/api/v1/rules/${id}`, { query: { note: 'its node was deleted' } })
    .catch((error) => {
      if (!isMissing(error)) throw error;
    });
}

/** In subflows within subflows a node's id is longer than a rule's may be. */
function idOf(nodeId: string): string {
  const isFit = /^[A-Za-z0-9._-]{1,59}$/.test(nodeId);
  return `flow-${isFit ? nodeId : createHash('sha256').update(nodeId).digest('hex').slice(0, 40)}`;
}

async function ruleAt(api: Api, path: string): Promise<{ document: Rule; etag: string } | undefined> {
  try {
    const { json, headers } = await api.request('GET', path);
    const { source: _source, created: _created, updated: _updated, ...document } = json as Rule;
    return { document: document as Rule, etag: headers.get('etag') ?? '*' };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

function isSame(one: Rule, other: Rule): boolean {
  const sorted = (rule: Rule) => JSON.stringify(Object.entries(rule).sort(([a], [b]) => (a < b ? -1 : 1)));
  return sorted(one) === sorted(other);
}

function conditionOf({ condition, level, clear, low, high, clearLow, clearHigh, absentFor }: Settings) {
  switch (condition) {
    case 'above':
    case 'below':
      return { [condition]: level, ...(clear !== undefined && { clear }) };
    case 'inside':
    case 'outside': {
      const hasClear = clearLow !== undefined || clearHigh !== undefined;
      return { [condition]: [low, high], ...(hasClear && { clear: [clearLow ?? low, clearHigh ?? high] }) };
    }
    case 'absent':
      return { absent: absentFor };
  }
}

function listOf(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
}

function shown({ path, message }: Issue): string {
  return path === '' ? message : `${path} ${message}`;
}
