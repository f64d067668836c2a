import { isIP } from 'node:net';
import type { EmailChannel } from '@tidemark/core';
import { addressOf } from './addresses.ts';
import { bodyOf } from './content.ts';
import { addressRefused, type Deliver, type Refused } from './delivery.ts';

const SUBJECT = '[{severity}] {state}: {rule} {sensor}';
const BODY = `{message}

rule      {rule}
sensor    {sensor}
location  {location}
state     {state}
value     {value}
since     {since}
by        {by}
comment   {comment}
`;

interface EmailOptions {
  channel: EmailChannel;
  privateHosts: readonly string[];
  timeoutMs: number;
}

/** What nodemailer says of a failure. */
interface SmtpError extends Error {
  code?: string;
  command?: string;
  responseCode?: number;
}

/**
 * A channel of e-mails. `smtps` speaks TLS from the start; `smtp` changes to it when the server can, and must when there
 * is a password. The certificate is checked in both cases, unless there is no password and no `smtps` (RFC 7435).
 */
export function email({ channel, privateHosts, timeoutMs }: EmailOptions): Deliver {
  const url = new URL(channel.url);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const secure = url.protocol === 'smtps:';
  const auth =
    url.username === ''
      ? undefined
      : { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) };
  const isChecked = secure || auth !== undefined;
  return async ({ key, content }, signal) => {
    const found = await addressOf(host, { privateHosts, signal });
    if (found === undefined) return addressRefused(host);
    // Loaded with the first e-mail: most have none to send.
    const { createTransport } = await import('nodemailer');
    const transport = createTransport({
      host: found.address,
      port: url.port === '' ? (secure ? 465 : 587) : Number(url.port),
      secure,
      requireTLS: auth !== undefined,
      ...(auth && { auth }),
      // RFC 6066, 3: an address is no server name.
      tls: { ...(isIP(host) === 0 && { servername: host }), rejectUnauthorized: isChecked },
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    try {
      const { rejected } = await transport.sendMail({
        from: channel.from,
        to: channel.to,
        subject: bodyOf(content, channel.subject ?? SUBJECT).replace(/\s+/g, ' '),
        text: bodyOf(content, channel.body ?? BODY),
        // RFC 5322, 3.6.4: it may hold no colon.
        messageId: `<${key.replace(':', '.')}@tidemark>`,
        headers: { 'Idempotency-Key': key, 'Auto-Submitted': 'auto-generated' },
        signal,
      });
      if (rejected.length === 0) return undefined;
      return {
        reason: 'refused',
        detail: `${rejected.length} of ${channel.to.length} recipients were refused`,
      };
    } catch (error) {
      return refusalOf(error as SmtpError);
    }
  };
}

/** RFC 5321, 4.2.1: 5yz is for ever. What the server says beside it is not repeated: it may name the password. */
function refusalOf({ code, command, responseCode, message }: SmtpError): Refused {
  if (responseCode === undefined) throw new Error(code === 'EAUTH' ? 'the login failed' : message);
  const detail = `answered ${responseCode}${command ? ` to ${command.split(' ')[0]}` : ''}`;
  if (responseCode < 500) throw new Error(detail);
  return { reason: 'refused', detail };
}
