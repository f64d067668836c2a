import {
  type ExternalAlert,
  type Issue,
  idProblem,
  parseTime,
  type Severity,
  severities,
} from '@tidemark/core';
import { z } from 'zod';
import { invalidFields, issuesOf } from './problem.ts';

/** Alert rules that Tidemark itself gave to Grafana have this label: what they say is known here already. */
const OWN = ['origin', 'tidemark'] as const;
/** Rules of Grafana have ids of their own. */
export const GRAFANA_PREFIX = 'grafana.';
const MAX_ALERTS = 1000;
const MAX_NAME_LENGTH = 50;
const MAX_MESSAGE_LENGTH = 1000;

const texts = z.record(z.string(), z.string());
const alertSchema = z.object({
  status: z.enum(['firing', 'resolved']),
  labels: texts,
  annotations: texts.nullish(),
  startsAt: z.string().transform(toTime),
  endsAt: z.string().transform(toTime).nullish(),
  values: z.record(z.string(), z.unknown()).nullish(),
  fingerprint: z
    .string()
    .max(64)
    .refine((id) => idProblem(id) === undefined, { error: 'is no fingerprint' }),
});
const bodySchema = z.object({
  alerts: z.array(z.unknown()).max(MAX_ALERTS),
  truncatedAlerts: z.number().int().nullish(),
});

/** What Grafana's webhook contact point says. */
interface GrafanaMessage {
  alerts: ExternalAlert[];
  /** Of rules that Tidemark itself gave to Grafana. */
  own: number;
  /** Alerts that Grafana left out of the message, for its contact point's limit. */
  leftOut: number;
  /** What is wrong with others. */
  issues: Issue[];
}

/**
 * Reads the body of Grafana's webhook contact point, version 1; members that are not known are ignored. Throws
 * `bad_request` when it is none; alerts that are wrong are told of in `issues`, and cost no other.
 */
export function readGrafanaWebhook(body: unknown, notify: readonly string[]): GrafanaMessage {
  const read = bodySchema.safeParse(body);
  if (!read.success) throw invalidFields(issuesOf(read.error, 'no such member'));
  const { alerts, truncatedAlerts } = read.data;
  const message: GrafanaMessage = { alerts: [], own: 0, leftOut: truncatedAlerts ?? 0, issues: [] };
  for (const [index, item] of alerts.entries()) {
    const alert = alertSchema.safeParse(item);
    if (alert.success) {
      const [label, value] = OWN;
      if (alert.data.labels[label] === value) message.own += 1;
      else message.alerts.push(toExternal(alert.data, notify));
    } else {
      const issues = issuesOf(alert.error, 'no such member');
      message.issues.push(...issues.map((issue) => ({ ...issue, path: pathOf(index, issue.path) })));
    }
  }
  return message;
}

function toExternal(alert: z.output<typeof alertSchema>, notify: readonly string[]): ExternalAlert {
  const { status, labels, annotations, startsAt, endsAt, values, fingerprint } = alert;
  const { alertname = 'alert', severity, sensor } = labels;
  const message = annotations?.summary || annotations?.description || alertname;
  return {
    source: 'grafana',
    rule: `${GRAFANA_PREFIX}${alertname.replace(/[^\p{L}\p{N}._-]+/gu, '-').slice(0, MAX_NAME_LENGTH)}`,
    sensor: sensor !== undefined && idProblem(sensor) === undefined ? sensor : undefined,
    fingerprint,
    isFiring: status === 'firing',
    severity: isSeverity(severity) ? severity : 'warning',
    message: message.slice(0, MAX_MESSAGE_LENGTH),
    value: measuredOf(values ?? {}),
    sinceNs: startsAt,
    endedNs: endsAt ?? undefined,
    notify,
  };
}

/** Grafana names the values by the steps of its query; the first one is what is measured, a later one the condition. */
function measuredOf(values: Record<string, unknown>): number | undefined {
  const [first] = Object.keys(values).sort();
  const value = first === undefined ? undefined : values[first];
  return typeof value === 'number' ? value : undefined;
}

function isSeverity(text: string | undefined): text is Severity {
  return severities.some((severity) => severity === text);
}

function toTime(text: string, context: z.RefinementCtx): bigint {
  const timeNs = parseTime(text);
  if (timeNs !== undefined) return timeNs;
  context.addIssue({ code: 'custom', message: `is no time: ${JSON.stringify(text.slice(0, 100))}` });
  return z.NEVER;
}

function pathOf(index: number, path: string): string {
  return path === '' ? `alerts.${index}` : `alerts.${index}.${path}`;
}
