import { z } from '@hono/zod-openapi';
import { jsonContent } from '../schemas.ts';

const faultSchema = z
  .object({
    code: z.string().openapi({ example: 'invalid' }),
    message: z.string().openapi({
      example: "partial write: line 2: unable to parse 'weather t': invalid field format dropped=1",
    }),
    error: z.string(),
    line: z.int().optional().openapi({ description: 'First line that was refused, from 1' }),
    lines: z.array(z.object({ line: z.int(), reason: z.string(), detail: z.string() })).optional(),
  })
  .openapi('InfluxFault');

/** An answer in InfluxDB's form of a fault. */
export const fault = (description: string) => ({ description, content: jsonContent(faultSchema) });
/** A query parameter that may be left out. */
export const described = (description: string, example?: string) =>
  z
    .string()
    .optional()
    .openapi({ description, ...(example !== undefined && { example }) });
