import { z } from 'zod';
import { claimOf } from './topics.ts';

// Channels, on which people and programs are notified of alerts: what the configuration says of them.

/** What a notification holds, and what a body template may name. */
export const notificationFields = [
  'id',
  'rule',
  'sensor',
  'metric',
  'location',
  'state',
  'value',
  'severity',
  'message',
  'since',
  'time',
  'ends',
  'by',
  'comment',
  'key',
] as const;
export type NotificationField = (typeof notificationFields)[number];

/** A field as text, `{message}`, or as JSON with its quotes, `{json:message}`. */
export const placeholderPattern = /\{(json:)?([a-z]+)\}/gi;

/** Headers that say how the request is sent, or that the platform sets itself. */
const ownHeaders = [
  'connection',
  'content-length',
  'host',
  'idempotency-key',
  'te',
  'tidemark-signature',
  'transfer-encoding',
  'upgrade',
];

const template = z
  .string()
  .min(1)
  .max(10_000)
  .superRefine((text, context) => {
    for (const [placeholder, , name] of text.matchAll(placeholderPattern))
      if (!notificationFields.includes(name as NotificationField))
        context.addIssue({
          code: 'custom',
          message: `has no such placeholder: ${placeholder}; there are ${notificationFields.join(', ')}`,
        });
  });
const headerName = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, { error: 'is no name of a header' })
  .refine((name) => !ownHeaders.includes(name.toLowerCase()), { error: 'is set by the platform' });
const headerValue = z
  .string()
  .max(8192)
  .regex(/^[\t -~\u0080-\u00ff]*$/, {
    error: 'holds a character that a header cannot carry',
  });

const webhook = z.strictObject({
  type: z.literal('webhook'),
  url: url(['http:', 'https:']),
  headers: z
    .record(headerName, headerValue)
    .refine((headers) => Object.keys(headers).length <= 50, { error: 'are more than 50' })
    .default({}),
  /** Key of the HMAC that signs what is sent; without one nothing is signed. */
  secret: z.string().min(16, { error: 'must have 16 characters or more' }).max(1024).optional(),
  body: template.optional(),
});

const mailbox = z
  .string()
  .max(320)
  .regex(/^[^\s@<>,;:"\\]+@[^\s@<>,;:"\\]+$/, { error: 'must be an address such as ops@example.com' });

const email = z.strictObject({
  type: z.literal('email'),
  url: url(['smtp:', 'smtps:']),
  from: mailbox,
  to: z.array(mailbox).min(1).max(100),
  subject: template.refine((text) => !/[\r\n]/.test(text), { error: 'must be one line' }).optional(),
  body: template.optional(),
});

const mqtt = z.strictObject({
  type: z.literal('mqtt'),
  topic: z
    .string()
    .min(1)
    .max(1000)
    .refine((topic) => !/[+#]/.test(topic) && !topic.includes('\0') && !topic.startsWith('$'), {
      error: 'must be a topic to publish to: without + and #, and not below $SYS',
    })
    .refine((topic) => claimOf(topic).kind === 'other', {
      error: 'must not be one of readings or of the platform: sensors/, lines/, alerts/, live/, quarantine/',
    }),
  body: template.optional(),
});

const channel = z.discriminatedUnion('type', [webhook, email, mqtt], {
  error: (issue) => (issue.code === 'invalid_union' ? 'must be webhook, email or mqtt' : undefined),
});

export type Channel = z.output<typeof channel>;
export type WebhookChannel = z.output<typeof webhook>;
export type EmailChannel = z.output<typeof email>;
export type MqttChannel = z.output<typeof mqtt>;

/** Channels by their names, which rules name in `notify`. */
export const channelsSchema = z
  .record(
    z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, {
      error: 'must be 1 to 64 letters, digits, dots, dashes or underscores',
    }),
    channel,
  )
  .refine((channels) => Object.keys(channels).length <= 100, { error: 'are more than 100' });

/** An address of one of these protocols. What is wrong is told without it: it may hold a secret. */
function url(protocols: readonly string[]) {
  const names = protocols.map((protocol) => `${protocol}//`).join(' or ');
  return z
    .string()
    .max(2000)
    .refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
      error: `must be an address that begins with ${names}`,
    });
}
