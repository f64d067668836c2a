import { NS_PER_DAY, parseDuration } from './time.ts';

/** How long points of a measurement are kept; `*` stands for every measurement that has no rule of its own. */
export interface MaxAge {
  measurement: string;
  ageNs: bigint;
}

/** Reads `readings=365d`; undefined when it is none, or less than the day that is the least. */
export function parseMaxAge(text: string): MaxAge | undefined {
  const split = text.lastIndexOf('=');
  const ageNs = parseDuration(text.slice(split + 1));
  if (split < 1 || ageNs === undefined || ageNs < NS_PER_DAY) return undefined;
  return { measurement: text.slice(0, split), ageNs };
}
