/** From and up to, without it; minutes since 1970. */
export type Range = readonly [start: number, end: number];

/** More are joined over the smallest gaps between them: what lies there is summed up once more, to no effect. */
const MAX_RANGES = 10_000;

/** A set of minutes as ranges, in order, apart from each other. */
export class Ranges {
  #ranges: Range[];

  constructor(ranges: readonly Range[] = []) {
    this.#ranges = [];
    for (const range of ranges) this.add(range);
  }

  get all(): readonly Range[] {
    return this.#ranges;
  }

  has([start, end]: Range): boolean {
    const found = this.#ranges[this.#firstEndingAt(start + 1)];
    return found !== undefined && found[0] <= start && found[1] >= end;
  }

  add([start, end]: Range): void {
    const from = this.#firstEndingAt(start);
    let to = from;
    let joined: Range = [start, end];
    for (; to < this.#ranges.length && this.#ranges[to]![0] <= end; to++) {
      const [otherStart, otherEnd] = this.#ranges[to]!;
      joined = [Math.min(joined[0], otherStart), Math.max(joined[1], otherEnd)];
    }
    this.#ranges.splice(from, to - from, joined);
    if (this.#ranges.length > MAX_RANGES) this.#join();
  }

  /** Removes and answers the first range, up to `length` of it and none of what is behind `end`. */
  take(end: number, length: number): Range | undefined {
    const [first] = this.#ranges;
    if (first === undefined || first[0] >= end) return undefined;
    const takenEnd = Math.min(first[1], end, first[0] + length);
    if (takenEnd === first[1]) this.#ranges.shift();
    else this.#ranges[0] = [takenEnd, first[1]];
    return [first[0], takenEnd];
  }

  /** The index of the first that ends at a minute or after. */
  #firstEndingAt(minute: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#ranges[middle]![1] < minute) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Leaves about half of them. */
  #join(): void {
    const ranges = this.#ranges;
    const gaps = ranges.slice(1).map(([start], index) => start - ranges[index]![1]);
    const median = gaps.toSorted((a, b) => a - b)[gaps.length >> 1]!;
    const joined: [number, number][] = [];
    for (const [start, end] of ranges) {
      const last = joined.at(-1);
      if (last !== undefined && start - last[1] <= median) last[1] = end;
      else joined.push([start, end]);
    }
    this.#ranges = joined;
  }
}
