import { z } from 'zod';

const count = z.coerce.number().int().min(1);
const milliseconds = z.coerce.number().int().min(1);

/** Settings of the TCP gateway for devices that speak lines. */
export const linesSchema = z.strictObject({
  port: z
    .union([z.literal('off'), z.coerce.number().int().min(0).max(65535)])
    .default('off')
    .describe('TCP gateway that takes readings line by line; 0 picks a free port')
    .meta({ env: 'TIDEMARK_LINES_PORT' }),
  maxLineBytes: count
    .min(64)
    .default(64 * 1024)
    .describe('Longest line that is taken; longer ones are refused')
    .meta({ env: 'TIDEMARK_LINES_MAX_LINE_BYTES' }),
  maxConnections: count
    .default(10_000)
    .describe('Most connections at a time; more are closed at once')
    .meta({ env: 'TIDEMARK_LINES_MAX_CONNECTIONS' }),
  maxUnanswered: count
    .default(1000)
    .describe('Most lines of one connection that wait for their answer; then no more is read from it')
    .meta({ env: 'TIDEMARK_LINES_MAX_UNANSWERED' }),
  idleMs: milliseconds
    .default(600_000)
    .describe('How long a connection may send nothing, or take no answers, before it is closed')
    .meta({ env: 'TIDEMARK_LINES_IDLE_MS' }),
  tlsCert: z
    .string()
    .default('')
    .describe('File with the certificate chain (PEM) that the gateway shows; empty: no TLS')
    .meta({ env: 'TIDEMARK_LINES_TLS_CERT' }),
  tlsKey: z
    .string()
    .default('')
    .describe('File with its private key (PEM)')
    .meta({ env: 'TIDEMARK_LINES_TLS_KEY' }),
});
