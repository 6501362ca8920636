/**
 * Transactions that are open for long. While one is, nothing that the outbox has published since can be
 * removed from its indexes, nor anything else that was deleted anywhere in the database.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { Clock } from "../../../async/clock.ts";
import type { Row } from "../connection/connection.ts";

const log = getLogger(["protean", "postgres"]);

/** From this age on they are told. */
const OLD_SECONDS = 60;
/** So often it is looked for them while there is work. */
const LOOK_MS = 15_000;
/** So many are named in one line. */
const NAMED = 5;

/**
 * The oldest transactions of this database that are open for `seconds`: of clients, as far as this role may
 * see them, and prepared ones. `age` is in whole seconds.
 */
export const oldTransactionsText = (seconds = OLD_SECONDS) =>
  `select * from (
    select pid::text as id, coalesce(usename::text, '') as role, coalesce(application_name, '') as application,
      coalesce(state, '') as state, xact_start as began, floor(extract(epoch from now() - xact_start))::float8 as age
    from pg_stat_activity where datname = current_database() and backend_type = 'client backend'
    union all
    select gid::text, owner::text, '', 'prepared', prepared, floor(extract(epoch from now() - prepared))::float8
    from pg_prepared_xacts where database = current_database()) as open
  where age >= ${seconds} order by age desc limit 20`;

/** What tells of each of them once, for as long as it is open. */
export class OldTransactions {
  readonly #clock: Clock;
  readonly #database: string;
  #told: ReadonlySet<string> = new Set();
  #lookAt: number;

  /** `database`: its name in domain.toml. */
  constructor(clock: Clock, database: string) {
    this.#clock = clock;
    this.#database = database;
    this.#lookAt = clock.monotonic();
  }

  /** Whether it is time to look; true is said once. */
  mayLook(): boolean {
    const now = this.#clock.monotonic();
    if (now < this.#lookAt) return false;
    this.#lookAt = now + LOOK_MS;
    return true;
  }

  /** Takes what `oldTransactionsText` has found. */
  found(rows: readonly Row[]): void {
    const known = this.#told;
    this.#told = new Set(rows.map(keyOf));
    const fresh = rows.filter((row) => !known.has(keyOf(row)));
    if (fresh.length === 0) return;
    log.warn("database.old_transactions", {
      database: this.#database,
      transactions: fresh.slice(0, NAMED).map(named),
      more: Math.max(0, fresh.length - NAMED),
      hint:
        "An open transaction keeps the database from removing what is published: end it, or find out why it stays open.",
    });
  }
}

function keyOf(row: Row): string {
  return `${row["id"]} ${row["began"]}`;
}

/** `4711 (shop, psql, idle in transaction) for 75 s` */
function named(row: Row): string {
  const words = [row["role"], row["application"], row["state"]].filter((word) => word !== "");
  return `${row["id"]} (${words.join(", ")}) for ${row["age"]} s`;
}
