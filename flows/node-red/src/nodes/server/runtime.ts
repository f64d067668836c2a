import type { NodeAPI, NodeDef } from 'node-red';
import { migrate, readSettings, type Saved } from '../../fields/spec.ts';
import { Api } from '../../platform/api.ts';
import { MqttLink } from '../../platform/mqtt-link.ts';
import { messageOf } from '../../runtime/define-node.ts';
import type { Server, ServerNode } from './server.ts';
import { spec } from './spec.ts';

interface Credentials {
  token?: string;
  user?: string;
  password?: string;
}

export default function register(RED: NodeAPI): void {
  function construct(this: ServerNode, saved: NodeDef & Saved): void {
    RED.nodes.createNode(this, saved);
    try {
      this.server = connect(saved, this.credentials);
    } catch (error) {
      this.error(messageOf(error));
      return;
    }
    const { mqtt } = this.server;
    this.on('close', (done: () => void) => void mqtt.end().finally(done));
  }
  RED.nodes.registerType(spec.type, construct, {
    credentials: { token: { type: 'password' }, user: { type: 'text' }, password: { type: 'password' } },
  });
}

/** What is left empty comes from the environment, so that the same flow runs inside the platform and elsewhere. */
function connect(saved: Saved, credentials: Credentials = {}): Server {
  const { apiUrl, mqttUrl } = readSettings(spec, migrate(spec, saved));
  const { env } = process;
  return {
    api: new Api({
      url: apiUrl ?? (env.TIDEMARK_FLOWS_API_URL || 'http://127.0.0.1:8080'),
      token: credentials.token || env.TIDEMARK_FLOWS_TOKEN,
    }),
    mqtt: new MqttLink({
      url: mqttUrl ?? (env.TIDEMARK_FLOWS_MQTT_URL || 'mqtt://127.0.0.1:1883'),
      username: credentials.user || env.TIDEMARK_FLOWS_MQTT_USER,
      password: credentials.password || env.TIDEMARK_FLOWS_MQTT_PASSWORD,
    }),
  };
}
