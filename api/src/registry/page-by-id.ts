/** The first entries behind an id that match, in order of their ids: one more than `limit`, where there are. */
export function pageById<Entry extends { id: string }>(
  entries: Iterable<Entry>,
  { after, limit, matches }: { after: string; limit: number; matches: (entry: Entry) => boolean },
): Entry[] {
  const wanted = limit + 1;
  let found: Entry[] = [];
  let greatest: string | undefined;
  const cut = (): void => {
    found = found.sort(byId).slice(0, wanted);
    if (found.length === wanted) greatest = found.at(-1)!.id;
  };
  for (const entry of entries) {
    if (entry.id <= after || (greatest !== undefined && entry.id >= greatest) || !matches(entry)) continue;
    found.push(entry);
    // Sorting all of a million sensors for one page would hold up acceptance, which shares the thread.
    if (found.length >= 2 * wanted) cut();
  }
  cut();
  return found;
}

function byId(one: { id: string }, other: { id: string }): number {
  return one.id < other.id ? -1 : 1;
}
