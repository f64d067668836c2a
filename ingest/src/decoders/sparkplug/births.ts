/** A metric as a birth declared it. */
export interface Definition {
  name: string;
  datatype: number;
}

/** What the births of one edge node have said, and how far its messages have come. */
export interface EdgeNode {
  /** Of the session that the newest NBIRTH began; an NDEATH of another one is old. */
  bdSeq: bigint | undefined;
  /** Of the newest message. */
  seq: number | undefined;
  /** By device; the node's own under the empty name. */
  readonly metrics: Map<string, DeviceMetrics>;
  definitions: number;
}

export interface DeviceMetrics {
  readonly byAlias: ReadonlyMap<bigint, Definition>;
  readonly byName: ReadonlyMap<string, Definition>;
}

/** Sequence numbers run from 0 to 255 and begin anew. */
const SEQ_RANGE = 256;

/**
 * The edge nodes that were born, in memory: a node sends its births again whenever it connects and whenever it is asked to.
 * Bounded by metrics: those of the nodes born longest ago go, and these are asked for new births when they next report.
 */
export class Births {
  readonly #maxMetrics: number;
  readonly #onForgotten: () => void;
  /** Born longest ago first. */
  readonly #nodes = new Map<string, EdgeNode>();
  #definitions = 0;

  constructor(options: { maxMetrics: number; onForgotten: () => void }) {
    this.#maxMetrics = options.maxMetrics;
    this.#onForgotten = options.onForgotten;
  }

  find(key: string): EdgeNode | undefined {
    return this.#nodes.get(key);
  }

  /** A node's own birth: its devices have to be born again. */
  bear(key: string, bdSeq: bigint | undefined): EdgeNode {
    this.remove(key);
    const node: EdgeNode = { bdSeq, seq: undefined, metrics: new Map(), definitions: 0 };
    this.#nodes.set(key, node);
    return node;
  }

  remove(key: string): void {
    this.#definitions -= this.#nodes.get(key)?.definitions ?? 0;
    this.#nodes.delete(key);
  }

  /** Sets what a birth declared for the node itself (under the empty name) or for a device of it. */
  declare(node: EdgeNode, device: string, metrics: DeviceMetrics): void {
    this.bury(node, device);
    node.metrics.set(device, metrics);
    this.#count(node, sizeOf(metrics));
    for (const [key, oldest] of this.#nodes) {
      if (this.#definitions <= this.#maxMetrics || oldest === node) break;
      this.remove(key);
      this.#onForgotten();
    }
  }

  bury(node: EdgeNode, device: string): void {
    const before = node.metrics.get(device);
    if (before === undefined) return;
    node.metrics.delete(device);
    this.#count(node, -sizeOf(before));
  }

  #count(node: EdgeNode, change: number): void {
    node.definitions += change;
    this.#definitions += change;
  }
}

/** Notes a message's number; true when messages before it are missing. One that comes late or again is none. */
export function hasGap(node: EdgeNode, seq: bigint | undefined): boolean {
  if (seq === undefined) return false;
  const number = Number(seq % BigInt(SEQ_RANGE));
  const ahead = node.seq === undefined ? 1 : (number - node.seq + SEQ_RANGE) % SEQ_RANGE;
  if (ahead === 0 || ahead >= SEQ_RANGE / 2) return false;
  node.seq = number;
  return ahead > 1;
}

function sizeOf({ byName }: DeviceMetrics): number {
  return 1 + byName.size;
}
