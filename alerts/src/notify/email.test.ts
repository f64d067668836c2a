import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import type { EmailChannel, Notification as Notice, NotificationContent } from '@tidemark/core';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { expect, it, onTestFinished } from 'vitest';
import { email } from './email.ts';

interface Mail {
  from: string;
  to: string[];
  text: string;
}

async function startServer(options: SMTPServerOptions = {}) {
  const received: Mail[] = [];
  const server = new SMTPServer({
    authOptional: true,
    logger: false,
    onData: async (stream, { envelope }, done) => {
      const { mailFrom, rcptTo } = envelope;
      const from = mailFrom === false ? '' : mailFrom.address;
      received.push({ from, to: rcptTo.map(({ address }) => address), text: await text(stream) });
      done();
    },
    ...options,
  });
  server.on('error', () => {});
  const listener = server.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve())));
  return { received, port: (listener.address() as AddressInfo).port };
}

function deliver(
  url: string,
  parts: Partial<EmailChannel> = {},
  { signal = new AbortController().signal, timeoutMs = 5000 } = {},
) {
  const channel: EmailChannel = {
    type: 'email',
    url,
    from: 'tidemark@example.com',
    to: ['ann@example.com', 'ops@example.com'],
    ...parts,
  };
  return email({ channel, privateHosts: ['localhost', '127.0.0.1'], timeoutMs })(notice, signal);
}

const content: NotificationContent = {
  id: 'too-hot:greenhouse-1',
  rule: 'too-hot',
  sensor: 'greenhouse-1',
  metric: 'temperature',
  location: null,
  state: 'firing',
  value: 31.5,
  severity: 'warning',
  message: 'greenhouse-1 is at 31.5\r\nBcc: eve@example.com',
  since: '2026-05-01T12:00:00Z',
  time: '2026-05-01T12:02:00Z',
  ends: '9999-12-31T23:59:59Z',
  by: null,
  comment: null,
  key: 'k:mail',
};
const notice: Notice = {
  id: '1',
  key: 'k:mail',
  channel: 'mail',
  content,
  attempts: 0,
  createdNs: 0n,
  nextNs: 0n,
  reason: undefined,
  detail: undefined,
};

it('a mail has its recipients, its key and no header that a message slipped in', async () => {
  const { received, port } = await startServer();
  expect(await deliver(`smtp://localhost:${port}`, { subject: '{state}: {message}' })).toBeUndefined();
  const [mail] = received;
  expect(mail).toMatchObject({ from: 'tidemark@example.com', to: ['ann@example.com', 'ops@example.com'] });
  const [head = '', body = ''] = mail!.text.split('\r\n\r\n');
  expect(head).toContain('Message-ID: <k.mail@tidemark>');
  expect(head).toContain('Idempotency-Key: k:mail');
  expect(head.replace(/\r\n\s+/g, ' ')).toContain(
    'Subject: firing: greenhouse-1 is at 31.5 Bcc: eve@example.com',
  );
  expect(head).not.toMatch(/^Bcc:/m);
  expect(body).toContain('greenhouse-1 is at 31.5');
});

it('a refusal for ever is told from one for now, and no answer repeats what the server said', async () => {
  const fault = (responseCode: number) => Object.assign(new Error('hidden'), { responseCode });
  const never = await startServer({ onRcptTo: (_address, _session, done) => done(fault(550)) });
  expect(await deliver(`smtp://127.0.0.1:${never.port}`)).toEqual({
    reason: 'refused',
    detail: 'answered 550 to RCPT',
  });
  const later = await startServer({ onRcptTo: (_address, _session, done) => done(fault(451)) });
  await expect(deliver(`smtp://127.0.0.1:${later.port}`)).rejects.toThrow(/^answered 451 to RCPT$/);
  const some = await startServer({
    onRcptTo: ({ address }, _session, done) => done(address.startsWith('ann') ? fault(550) : null),
  });
  expect(await deliver(`smtp://127.0.0.1:${some.port}`)).toEqual({
    reason: 'refused',
    detail: '1 of 2 recipients were refused',
  });
});

it('a password is never sent without TLS, nor to a server whose certificate is not known', async () => {
  const logins: unknown[] = [];
  const onAuth: SMTPServerOptions['onAuth'] = (auth, _session, done) => {
    logins.push(auth);
    done(null, { user: 'ann' });
  };
  const plain = await startServer({ onAuth, hideSTARTTLS: true, allowInsecureAuth: true });
  await expect(deliver(`smtp://ann:hidden@localhost:${plain.port}`)).rejects.toThrow();
  const own = await startServer({ onAuth });
  await expect(deliver(`smtp://ann:hidden@localhost:${own.port}`)).rejects.toThrow();
  expect(logins).toEqual([]);
  expect([...plain.received, ...own.received]).toEqual([]);
});

it('a server that says nothing is left when the signal aborts', async () => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  onTestFinished(() => void silent.close());
  const ending = new AbortController();
  const { port } = silent.address() as AddressInfo;
  // Nothing but the signal ends it while the test runs.
  const terms = { signal: ending.signal, timeoutMs: 3_600_000 };
  const delivery = deliver(`smtp://127.0.0.1:${port}`, {}, terms);
  const [socket] = await once(silent, 'connection');
  ending.abort();
  await expect(delivery).rejects.toThrow();
  await once(socket.resume(), 'close');
});
