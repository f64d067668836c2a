import type { Message, NodeContext } from '../../runtime/define-node.ts';
import type { spec } from './spec.ts';

type Settings = Pick<NodeContext<typeof spec.fields>['settings'], 'sensor' | 'metric' | 'location'>;

/** The readings of a message as the API takes them; throws what is missing. The platform judges the rest. */
export function readingsIn(settings: Settings, { payload, topic, time }: Message): object[] {
  const [topicSensor, topicMetric] = (topic ?? '').split('/');
  const sensor = settings.sensor ?? (topicSensor || undefined);
  const { location } = settings;
  const common = { ...(sensor !== undefined && { sensor }), ...(location !== undefined && { location }) };
  if (Array.isArray(payload)) {
    if (payload.length === 0) throw new Error('msg.payload is an empty array: there is nothing to write');
    return payload.map((one, index) => complete(common, one, `msg.payload[${index}]`));
  }
  if (isObject(payload)) return [complete(common, payload, 'msg.payload')];
  const metric = settings.metric ?? (topicMetric || undefined);
  if (metric === undefined)
    throw new Error(
      'which metric? set it in the node, or msg.topic to sensor/metric, or msg.payload to a reading',
    );
  if (payload === undefined) throw new Error('msg.payload is missing: it is the value');
  return [complete(common, { [metric]: payload, ...(time !== undefined && { time }) }, 'msg.payload')];
}

function complete(common: object, reading: unknown, name: string): object {
  if (!isObject(reading)) throw new Error(`${name} is no reading: it must be an object`);
  const whole = { ...common, ...reading };
  if ('sensor' in whole) return whole;
  throw new Error('which sensor? set it in the node, in the reading, or msg.topic to sensor/metric');
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value);
}
