import type { Behaviour, Message, NodeContext } from '../../runtime/define-node.ts';
import type { spec } from './spec.ts';

type Settings = NodeContext<typeof spec.fields>['settings'];

const path = '/api/v1/alerts';

/** Raises and ends an alert of its own, or acknowledges and resolves any. */
export function alert({ settings, server, show }: NodeContext<typeof spec.fields>): Behaviour {
  const { api } = server();
  return {
    async onMessage(message, send) {
      const { to, body } = requestOf(settings, message);
      const { json } = await api.request('POST', to, { body });
      const { id, state } = json as { id: string; state: string };
      show(state === 'resolved' ? 'green' : 'red', 'dot', 'done', { id, state });
      send({ ...message, alert: json });
    },
  };
}

function requestOf(settings: Settings, message: Message): { to: string; body: object } {
  const { action, rule, severity, by, comment } = settings;
  if (action === 'ack' || action === 'resolve') {
    const id =
      settings.alert ??
      textIn(message.alertId) ??
      textIn((message.alert as { id?: unknown } | undefined)?.id);
    if (id === undefined)
      throw new Error('which alert? set it in the node, or in msg.alertId or msg.alert.id');
    return {
      to: `${path}/${encodeURIComponent(id)}/${action}`,
      body: { ...(by !== undefined && { by }), ...(comment !== undefined && { comment }) },
    };
  }
  const sensor = settings.sensor ?? textIn(message.sensor);
  const own = { rule, ...(sensor !== undefined && { sensor }) };
  if (action === 'end') return { to: path, body: { ...own, state: 'resolved' } };
  const { payload } = message;
  const notify = (settings.notify ?? '').split(',').map((name) => name.trim());
  return {
    to: path,
    body: {
      ...own,
      state: 'firing',
      severity,
      message: settings.message,
      ...(typeof payload === 'number' && { value: payload }),
      ...(settings.notify !== undefined && { notify }),
    },
  };
}

function textIn(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
