import { type AlertsLog, type AlertTopics, alertToJson, type Logger } from '@tidemark/core';
import { historyPoints } from './history.ts';
import { Teller, type Told } from './teller.ts';
import type { Transitions } from './transitions.ts';

interface TellersOptions {
  transitions: Transitions;
  logger: Logger;
  log: AlertsLog;
  topics: AlertTopics;
}

/** Who tells what becomes of alerts: the measurement `alerts`, and MQTT. */
export function createTellers({ transitions, logger, log, topics }: TellersOptions): Teller[] {
  const shared = { transitions, logger };
  return [
    new Teller({ ...shared, name: 'history', tell: (told) => writeHistory(log, told) }),
    new Teller({ ...shared, name: 'mqtt', tell: (told) => publish(topics, told) }),
  ];
}

async function writeHistory(log: AlertsLog, told: readonly Told[]): Promise<void> {
  const points = historyPoints(told);
  if (points.length > 0) await log.append(points);
}

/** What only old readings speak for is nobody's command. */
async function publish(topics: AlertTopics, told: readonly Told[]): Promise<void> {
  for (const one of told) {
    const topic = `alerts/${one.rule}/${one.sensor}`;
    const { state } = one;
    if (state === 'removed') await topics.retain(topic, '');
    else if (one.isCurrent) await topics.retain(topic, JSON.stringify(alertToJson({ ...one, state })));
  }
}
