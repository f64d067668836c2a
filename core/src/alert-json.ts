import type { Alert, AlertTransition } from './alerts.ts';
import { formatTime } from './time.ts';

type Shown = Pick<
  Alert,
  'rule' | 'sensor' | 'metric' | 'state' | 'value' | 'sinceNs' | 'severity' | 'message'
>;

/** An alert, or a change of one, as the API shows it and as it is retained on MQTT. */
export function alertToJson(alert: Shown) {
  const { rule, sensor, metric, state, value, sinceNs, severity, message } = alert;
  return {
    id: `${rule}:${sensor}`,
    rule,
    sensor,
    metric: metric ?? null,
    state,
    value: value ?? null,
    since: formatTime(sinceNs),
    severity,
    message,
  };
}

/** A change of an alert: the alert as it was then, when, by whom, and the key to act on it once. */
export function transitionToJson(transition: AlertTransition) {
  const { key, timeNs, recordedNs, actor, comment, notifies, isCurrent, number } = transition;
  return {
    ...alertToJson(transition),
    number,
    key,
    time: formatTime(timeNs),
    recorded: formatTime(recordedNs),
    by: actor ?? null,
    comment: comment ?? null,
    isCurrent,
    notifies,
  };
}
