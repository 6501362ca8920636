/**
 * The clock of the database's server, by which retention is measured (D9): it is one for all processes, and a
 * replica whose own is wrong must not remove what protects everybody.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { Clock } from "../../async/clock.ts";
import type { Row } from "./connection/connection.ts";
import type { Database } from "./connection/database.ts";
import type { Planned } from "./connection/statement.ts";
import { epoch } from "./tables/row_writes.ts";

const log = getLogger(["protean", "maintenance"]);

/** Nothing is removed by somebody whose clock is further from the server's. */
const TOLERATED_MS = 60_000;
/** Clocks nearer than this are one: it cannot be told from the way there. */
const NEAR_MS = 1_000;

const ASKED: Planned = {
  text: "select (extract(epoch from clock_timestamp()) * 1000)::float8 as now",
  values: [],
  doing: "asking the server for its time",
};

/**
 * Whole milliseconds by which the server's clock is ahead of `clock`, negative where it is behind; 0 where
 * they are as good as one. `ask` runs one statement on the server.
 */
export async function serverAhead(
  clock: Clock,
  ask: (statement: Planned) => Promise<readonly Row[]>,
): Promise<number> {
  const before = clock.now();
  const [row] = await ask(ASKED);
  const ahead = Math.round(Number(row?.["now"]) - (before + clock.now()) / 2);
  return Math.abs(ahead) < NEAR_MS ? 0 : ahead;
}

/**
 * The time before which rows may go, in SQL: as old by the server's clock as the parameter `age` says, in
 * ms, and never later than the parameter `before`, in epoch ms.
 */
export function cutOff(age: string, before: string): string {
  return `least(now() - make_interval(secs => ${age}::float8 / 1000), ${epoch(before)})`;
}

/** Says whether this process may clean, and says once that it may not. */
export class CleaningPermit {
  #refused = false;

  async ask(database: Database): Promise<boolean> {
    const { clock, where } = database;
    const ahead = await serverAhead(clock, (statement) => database.read(statement));
    const refused = Math.abs(ahead) > TOLERATED_MS;
    const details = { database: where.name, server_ahead_seconds: Math.round(ahead / 1000) };
    if (refused && !this.#refused) {
      log.warn("maintenance.clocks_differ", {
        ...details,
        hint: "Nothing is cleaned by this process until its clock and the database server's agree.",
      });
    }
    if (!refused && this.#refused) log.info("maintenance.clocks_agree", details);
    this.#refused = refused;
    return !refused;
  }
}
