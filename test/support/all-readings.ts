/** Every reading that matches the query and was acknowledged, over all pages, oldest first. */
export async function allReadings(
  httpUrl: string,
  query = '',
  token?: string,
): Promise<Record<string, unknown>[]> {
  const headers: HeadersInit = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const all: Record<string, unknown>[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const response = await fetch(
      `${httpUrl}/api/v1/readings?from=0&to=now%2B1d&order=asc&limit=10000${page}&${query}`,
      { headers },
    );
    if (response.headers.has('tidemark-lag-ms')) {
      // The store is behind: the same page again, which waits for it.
      await response.body?.cancel();
      continue;
    }
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    const { items, next } = (await response.json()) as {
      items: Record<string, unknown>[];
      next: string | null;
    };
    all.push(...items);
    cursor = next;
  }
  return all;
}
