import type { Layout } from '../layout.ts';
import type { SeriesIndex } from '../series.ts';
import type { Bindings } from './bindings.ts';
import type { Catalog } from './catalog.ts';
import type { Regexes } from './regexes.ts';
import type { Extent } from './window.ts';

/** What the plan of one statement is made with. */
export interface PlanContext {
  catalog: Catalog;
  regexes: Regexes;
  layout: Layout;
  index: SeriesIndex;
  bindings: Bindings;
  readonly extent: Extent;
  nowNs: bigint;
}
