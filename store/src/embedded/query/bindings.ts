import { DOUBLE, type DuckDBType, type DuckDBValue, UBIGINT, VARCHAR } from '@duckdb/node-api';
import type { Parameters } from '../database.ts';

/** The values of one statement. They are bound, and never joined into SQL, but for numbers. */
export class Bindings {
  readonly #parameters: Parameters = {};
  #count = 0;

  /** Binds a value; answers its name as SQL. */
  add(value: DuckDBValue, type: DuckDBType): string {
    const name = `p${this.#count++}`;
    this.#parameters[name] = [value, type];
    return `$${name}`;
  }

  /** An integer of 64 bits in digits: DuckDB plans a statement without parameters once, and others twice. */
  integer(value: bigint): string {
    return `CAST(${value} AS BIGINT)`;
  }

  /** Binds an integer, signed or not; the bits beyond 64 are lost. */
  whole(value: bigint, type: 'integer' | 'unsigned'): string {
    return type === 'unsigned'
      ? this.add(BigInt.asUintN(64, value), UBIGINT)
      : this.integer(BigInt.asIntN(64, value));
  }

  /** A double: in digits, as an integer, where there are any. With an exponent DuckDB reads no decimal. */
  float(value: number): string {
    return Number.isFinite(value) ? `CAST(${value.toExponential()} AS DOUBLE)` : this.add(value, DOUBLE);
  }

  text(value: string): string {
    return this.add(value, VARCHAR);
  }

  /** A beginning of names that no other source has. */
  prefix(): string {
    return `q${this.#count++}_`;
  }

  /** What a statement's text names; DuckDB refuses more than that. */
  usedBy(sql: string): Parameters {
    const used = new Set(sql.match(/(?<=\$)\w+/g));
    return Object.fromEntries(Object.entries(this.#parameters).filter(([name]) => used.has(name)));
  }

  /** Takes in what was bound elsewhere, under names that begin with a prefix of ours. */
  merge(parameters: Parameters): void {
    Object.assign(this.#parameters, parameters);
  }
}
