/** One of those that wait; settled through `InOrder`. */
export interface Slot<Item> {
  readonly item: Item;
  isSettled: boolean;
}

/** Things that are settled in any order and taken in that in which they came. */
export class InOrder<Item> {
  readonly #slots: Slot<Item>[] = [];

  /** How many were added and not taken. */
  get size(): number {
    return this.#slots.length;
  }

  add(item: Item): Slot<Item> {
    const slot = { item, isSettled: false };
    this.#slots.push(slot);
    return slot;
  }

  /** Removes those at the front that are settled. */
  take(): Item[] {
    const end = this.#slots.findIndex(({ isSettled }) => !isSettled);
    return this.#slots.splice(0, end === -1 ? this.#slots.length : end).map(({ item }) => item);
  }
}
