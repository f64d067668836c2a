import {
  createHash,
  createHmac,
  randomBytes,
  type ScryptOptions,
  scrypt as scryptCallback,
  timingSafeEqual,
} from 'node:crypto';
import { promisify } from 'node:util';
import { type Access, type Clock, type Config, TidemarkError } from '@tidemark/core';
import { isLoopbackHost } from './loopback.ts';
import type { MetaDb } from './meta-db.ts';

const scrypt = promisify<string | Uint8Array, Uint8Array, number, ScryptOptions, Buffer>(scryptCallback);
// 16 MiB and about 40 ms a password: OWASP's smallest setting for scrypt with one lane.
const scryptCost: ScryptOptions = { N: 2 ** 14, r: 8, p: 1 };
const hashBytes = 32;
const saltBytes = 16;
const secretBytes = 32;
/** Verdicts kept, so that thousands of devices that reconnect at once cost one scrypt for each password. */
const maxCachedVerdicts = 1000;
/** Scrypt shares its threads with the spool's fdatasync: one at a time, and no more than 8 s of them waiting. */
const maxWaitingChecks = 200;

interface StoredUser {
  salt: Uint8Array;
  hash: Uint8Array;
}

interface CredentialsParts {
  db: MetaDb;
  clock: Clock;
  /** True when clients must show credentials: the process is bound beyond loopback. */
  isRequired: boolean;
}

/**
 * MQTT users and API tokens, in `meta.db`, as hashes only. A change is seen at once, also one that another
 * process makes.
 */
export class Credentials implements Access {
  readonly isRequired: boolean;
  readonly #db: MetaDb;
  readonly #clock: Clock;
  readonly #verdicts = new Map<string, Promise<boolean>>();
  readonly #verdictKey = randomBytes(32);
  // An unknown name costs as much as a wrong password, so that names can't be told apart by time.
  readonly #decoy: StoredUser = { salt: randomBytes(saltBytes), hash: randomBytes(hashBytes) };
  #lastCheck: Promise<unknown> = Promise.resolve();
  #waitingChecks = 0;

  constructor({ db, clock, isRequired }: CredentialsParts) {
    this.#db = db;
    this.#clock = clock;
    this.isRequired = isRequired;
  }

  /** True when there is at least one MQTT user or API token. */
  hasAny(): boolean {
    return this.users().length > 0 || this.tokens().length > 0;
  }

  /** Names of the MQTT users. */
  users(): string[] {
    return this.#namesOf('users');
  }

  /** Names of the API tokens. */
  tokens(): string[] {
    return this.#namesOf('tokens');
  }

  /** Creates the MQTT user, or gives the existing one this password. */
  async setUser(name: string, password: string): Promise<void> {
    const salt = randomBytes(saltBytes);
    const hash = await hashPassword(password, salt);
    this.#db
      .prepare('INSERT OR REPLACE INTO users (name, salt, hash, created_ns) VALUES (?, ?, ?, ?)')
      .run(name, salt, hash, this.#clock.nowNs());
  }

  /** Creates the API token, or replaces the existing one of that name. */
  setToken(name: string, token: string): void {
    this.#db
      .prepare('INSERT OR REPLACE INTO tokens (name, hash, created_ns) VALUES (?, ?, ?)')
      .run(name, hashToken(token), this.#clock.nowNs());
  }

  /**
   * True when the name and password are a user's, or when none are asked for and none exist.
   * Throws `unavailable` (retryable) when too many checks are waiting.
   */
  async checkUser(username: string, password: Uint8Array): Promise<boolean> {
    if (!this.isRequired && !this.hasAny()) return true;
    const user = this.#findUser(username) ?? this.#decoy;
    const key = createHmac('sha256', this.#verdictKey)
      .update(user.salt)
      .update(user.hash)
      .update(password)
      .digest('base64');
    const known = this.#verdicts.get(key);
    if (known !== undefined) return known;
    if (this.#waitingChecks >= maxWaitingChecks) {
      throw new TidemarkError('unavailable', 'too many logins are being checked', { retryable: true });
    }
    const verdict = this.#checkInTurn(user, password);
    this.#remember(key, verdict);
    return verdict;
  }

  knowsUser(username: string): boolean {
    return (!this.isRequired && !this.hasAny()) || this.#findUser(username) !== undefined;
  }

  /** True when the token is one of those that exist, or when none is asked for and none exist. */
  checkToken(token: string): boolean {
    if (!this.isRequired && !this.hasAny()) return true;
    return this.tokenName(token) !== undefined;
  }

  tokenName(token: string): string | undefined {
    const hash = hashToken(token);
    const rows = this.#db.prepare('SELECT name, hash FROM tokens').all() as {
      name: string;
      hash: Uint8Array;
    }[];
    // Every one is compared, so that the time taken says nothing about which was close.
    return rows.filter((row) => timingSafeEqual(row.hash, hash))[0]?.name;
  }

  async #checkInTurn(user: StoredUser, password: Uint8Array): Promise<boolean> {
    this.#waitingChecks += 1;
    const check = this.#lastCheck.then(() => hashPassword(password, user.salt));
    this.#lastCheck = check.catch(() => undefined);
    try {
      return timingSafeEqual(await check, user.hash);
    } finally {
      this.#waitingChecks -= 1;
    }
  }

  #remember(key: string, verdict: Promise<boolean>): void {
    if (this.#verdicts.size >= maxCachedVerdicts) {
      const [oldest] = this.#verdicts.keys();
      if (oldest !== undefined) this.#verdicts.delete(oldest);
    }
    this.#verdicts.set(key, verdict);
    verdict.catch(() => this.#verdicts.delete(key));
  }

  #findUser(name: string): StoredUser | undefined {
    return this.#db.prepare('SELECT salt, hash FROM users WHERE name = ?').get(name) as
      | StoredUser
      | undefined;
  }

  #namesOf(table: 'users' | 'tokens'): string[] {
    const rows = this.#db.prepare(`SELECT name FROM ${table} ORDER BY name`).all() as { name: string }[];
    return rows.map((row) => row.name);
  }
}

/** A new password for an MQTT user: 256 random bits. */
export function generatePassword(): string {
  return randomBytes(secretBytes).toString('base64url');
}

/** A new API token: `tm_` and 256 random bits. */
export function generateToken(): string {
  return `tm_${generatePassword()}`;
}

/** Throws `forbidden` when the process would listen beyond loopback without any credentials. */
export function assertBindAllowed(config: Config, credentials: Credentials): void {
  if (isLoopbackHost(config.host) || credentials.hasAny()) return;
  throw new TidemarkError(
    'forbidden',
    `listening on ${config.host} needs credentials and none exist in ${config.dataDir}; ` +
      `create them with \`npx tidemark init --data-dir ${config.dataDir}\``,
  );
}

function hashPassword(password: string | Uint8Array, salt: Uint8Array): Promise<Buffer> {
  return scrypt(password, salt, hashBytes, scryptCost);
}

// A token is 256 random bits, so a fast hash is enough: there is nothing to guess.
function hashToken(token: string): Uint8Array {
  return createHash('sha256').update(token).digest();
}
