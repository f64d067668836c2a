import { isIPv6 } from 'node:net';
import { InvalidArgumentError } from 'commander';
import { OWN_NAME, readSecret } from './secrets.ts';
import { loadSettings } from './settings.ts';

/** What every command that talks to a running platform may be told. */
export interface ConnectionOptions {
  url?: string;
  username?: string;
  password?: string;
  token?: string;
  config?: string;
}

export interface MqttConnection {
  url: string;
  username: string | undefined;
  password: string | undefined;
}

export interface HttpConnection {
  /** Without a slash at its end. */
  url: string;
  token: string | undefined;
}

/** Where and as whom to publish: as told, else the platform of this configuration with its own user. */
export function mqttConnection(options: ConnectionOptions): MqttConnection {
  const { url, username, password } = options;
  if (url !== undefined) return { url: toMqttUrl(url), username, password };
  const config = loadSettings({ file: options.config });
  const ownPassword = password ?? readSecret(config.dataDir, 'mqtt-password');
  return {
    url: `mqtt://${authority(config.host, config.mqtt.port)}`,
    username: username ?? (ownPassword === undefined ? undefined : OWN_NAME),
    password: ownPassword,
  };
}

/** Where and with which token to query: as told, else the platform of this configuration with its own token. */
export function httpConnection(options: ConnectionOptions): HttpConnection {
  const { url, token } = options;
  if (url !== undefined) return { url: url.replace(/\/+$/, ''), token };
  const config = loadSettings({ file: options.config });
  return {
    url: `http://${authority(config.host, config.http.port)}`,
    token: token ?? readSecret(config.dataDir, 'api-token'),
  };
}

/** How this machine reaches a listener bound to the host: `host:port`, as in a URL. */
export function authority(boundHost: string, port: number): string {
  const host = { '0.0.0.0': '127.0.0.1', '::': '::1' }[boundHost] ?? boundHost;
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** Checks a URL that MQTT can be spoken to; a platform's HTTP URL means MQTT over its WebSocket. */
export function mqttUrlOption(text: string): string {
  return urlOption(text, ['mqtt:', 'mqtts:', 'ws:', 'wss:', 'http:', 'https:']);
}

/** Checks a platform's HTTP URL. */
export function httpUrlOption(text: string): string {
  return urlOption(text, ['http:', 'https:']);
}

function urlOption(text: string, protocols: readonly string[]): string {
  const protocol = URL.canParse(text) ? new URL(text).protocol : undefined;
  if (protocol !== undefined && protocols.includes(protocol)) return text;
  throw new InvalidArgumentError(
    `It must be a URL that begins with ${protocols.map((name) => `${name}//`).join(', ')}.`,
  );
}

function toMqttUrl(text: string): string {
  if (!text.startsWith('http')) return text;
  const url = new URL('/mqtt', text);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}
