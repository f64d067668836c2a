interface LiveReading {
  id: string;
  [name: string]: unknown;
}

/** What a live client has seen: the readings in the order they came, the gaps, and where to go on from. */
export class LiveStream {
  readonly readings: LiveReading[] = [];
  readonly gaps: unknown[] = [];
  lastEventId: string | undefined;
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** Reads, going on from the last event id, until `count` readings were seen in all; then cuts the connection. */
  async readUntil(count: number): Promise<void> {
    const cut = new AbortController();
    const headers: HeadersInit = this.lastEventId === undefined ? {} : { 'last-event-id': this.lastEventId };
    const response = await fetch(this.#url, { headers, signal: cut.signal });
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of response.body!) {
      const events = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
      rest = events.pop()!;
      for (const event of events) {
        if (this.readings.length < count) this.#take(event);
      }
      if (this.readings.length >= count) break;
    }
    cut.abort();
  }

  #take(event: string): void {
    const fields = new Map(
      event
        .split('\n')
        .filter((line) => !line.startsWith(':'))
        .map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]),
    );
    this.lastEventId = fields.get('id') ?? this.lastEventId;
    const data = fields.get('data');
    if (data === undefined) return;
    if (fields.get('event') === 'gap') this.gaps.push(JSON.parse(data));
    else this.readings.push(JSON.parse(data));
  }
}
