import { z } from 'zod';
import { mappingPresets } from './mapping-presets.ts';
import { type Mapping, type MappingInput, mappingSchema, presetSettingsSchema } from './mapping-schema.ts';

const MAX_MAPPINGS = 256;
/** Each has a thread of its own. */
const MAX_EXPRESSIONS = 16;

const presetNames = Object.keys(mappingPresets) as (keyof typeof mappingPresets)[];
const presetSchema = presetSettingsSchema.extend({ preset: z.enum(presetNames) });

/** The setting `mappings`: presets are replaced by what they stand for. */
export const mappingsSchema = z
  .array(z.unknown())
  .max(MAX_MAPPINGS)
  .transform((documents, context): Mapping[] => {
    const all = documents.map((document, index) => readDocument(document, index, context));
    const ids = all.map((mappings) => mappings[0]?.id);
    for (const [index, id] of ids.entries())
      if (id !== undefined && ids.indexOf(id) < index)
        context.addIssue({
          code: 'custom',
          path: [index, 'id'],
          message: `another mapping is ${id} already`,
        });
    const expressions = all.flat().filter(({ expression }) => expression !== undefined).length;
    if (expressions > MAX_EXPRESSIONS)
      context.addIssue({ code: 'custom', message: `more than ${MAX_EXPRESSIONS} have an expression` });
    return all.flat();
  });

function readDocument(document: unknown, index: number, context: z.RefinementCtx): Mapping[] {
  const isPreset = typeof document === 'object' && document !== null && 'preset' in document;
  const inputs = isPreset ? readPreset(document, index, context) : [document];
  return inputs.flatMap((input) => {
    const read = mappingSchema.safeParse(input);
    if (read.success) return [read.data];
    tell(read.error, index, context);
    return [];
  });
}

function readPreset(document: unknown, index: number, context: z.RefinementCtx): MappingInput[] {
  const read = presetSchema.safeParse(document);
  if (!read.success) {
    tell(read.error, index, context);
    return [];
  }
  const { preset, ...settings } = read.data;
  return mappingPresets[preset]({ ...settings, id: settings.id ?? preset });
}

function tell({ issues }: z.ZodError, index: number, context: z.RefinementCtx): void {
  for (const issue of issues)
    context.issues.push({ ...issue, path: [index, ...issue.path], input: undefined });
}
