import { z } from 'zod';

/** How positions of travellers become stays and speeds. */
export const travellersSchema = z.strictObject({
  stayGapMs: z.coerce
    .number()
    .int()
    .min(1000)
    .max(30 * 24 * 3600 * 1000)
    .default(3600 * 1000)
    .describe(
      'Silence of a traveller at a sensor that ends its stay there: the next position begins another, and has no speed',
    )
    .meta({ env: 'TIDEMARK_TRAVELLERS_STAY_GAP_MS' }),
  maxPositions: z.coerce
    .number()
    .int()
    .min(10_000)
    .default(500_000)
    .describe(
      'Positions kept in memory, about 100 bytes each, so that speeds need not be derived from what the store is asked for',
    )
    .meta({ env: 'TIDEMARK_TRAVELLERS_MAX_POSITIONS' }),
});
