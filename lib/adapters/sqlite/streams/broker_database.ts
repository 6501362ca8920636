/**
 * The broker's SQLite file, with every trouble told as the broker's: a cache may share the file, and whoever
 * opens it first names the trouble.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import type { Clock } from "../../../async/clock.ts";
import { BrokerUnavailableError, UnavailableError } from "../../../errors.ts";
import type { ComponentSchema } from "../../ports.ts";
import { DatabaseFile } from "../file/database_file.ts";
import { migrate, schemasOf } from "../file/migrate.ts";
import { lockComponent } from "../locks.ts";
import { streamComponent } from "./schema.ts";

const COMPONENTS = [streamComponent, lockComponent];

export interface BrokerDatabaseOptions {
  /** Absolute. */
  readonly path: string;
  readonly clock: Clock;
  /** False: the tables are left as they are. */
  readonly upgrade: boolean;
}

export class BrokerDatabase {
  readonly #file: DatabaseFile;

  constructor({ path, clock, upgrade }: BrokerDatabaseOptions) {
    // NORMAL: nothing is lost when a process dies (delivery 14).
    this.#file = new DatabaseFile({
      ...{ path, clock, synchronous: "NORMAL", unavailable: BrokerUnavailableError },
      ...upgrade ? { components: COMPONENTS } : {},
    });
  }

  /** Throws `ConfigurationError` for a file that cannot be used; after a failure it may be tried again. */
  open(): Promise<void> {
    return asBroker(() => this.#file.open());
  }

  /** Where its tables stand. */
  async schema(): Promise<readonly ComponentSchema[]> {
    return await this.read((db) => schemasOf(db, COMPONENTS));
  }

  /** Brings its tables to this server's versions. */
  async upgrade(): Promise<void> {
    await asBroker(() => migrate(this.#file.get(), COMPONENTS));
  }

  /**
   * One write transaction; `notify` wakes waiting reads after its commit. Rejects with
   * `BrokerUnavailableError`.
   */
  write<T>(
    work: (db: DatabaseSync) => T,
    options: { readonly notify?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<T> {
    return asBroker(() => this.#file.get().write(work, { notify: false, ...options }));
  }

  /** Reads what is committed. Rejects with `BrokerUnavailableError`. */
  read<T>(work: (db: DatabaseSync) => T): Promise<T> {
    return asBroker(() => this.#file.get().read(work));
  }

  /**
   * Calls `listener` after commits that notify, and soon after those of other processes; returns the way to
   * stop.
   */
  watch(listener: () => void): () => void {
    return this.#file.get().watch(listener);
  }

  ping(signal: AbortSignal): Promise<void> {
    return asBroker(() => this.#file.get().ping(signal));
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

async function asBroker<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof UnavailableError) || cause instanceof BrokerUnavailableError) throw cause;
    throw new BrokerUnavailableError(cause.message, { cause });
  }
}
