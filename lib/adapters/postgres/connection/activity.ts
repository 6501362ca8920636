/**
 * What the server says about the backends of other connections.
 *
 * @module
 */
import { BACKEND_NAME, type Connection } from "./connection.ts";
import { arrayText } from "./values.ts";

/** At work on a statement, or waiting for its client to send or to read. */
export type Activity = "working" | "waiting";

/**
 * Not its `state`: that is `active` also between the messages of one statement, and the settings may hide it.
 * Waiting for a lock, a disk or a standby is work.
 */
const WAITS = "coalesce(wait_event in ('ClientRead', 'ClientWrite'), false)";

const ACTIVITIES =
  `select ${BACKEND_NAME} as name, ${WAITS} as waits from pg_stat_activity where ${BACKEND_NAME} = any($1::text[])`;

const END_WAITING =
  `select pg_terminate_backend(pid) from pg_stat_activity where ${BACKEND_NAME} = any($1::text[]) and ${WAITS}`;

/** Those of the backends that exist. */
export async function activities(
  eye: Connection,
  backends: readonly string[],
): Promise<ReadonlyMap<string, Activity>> {
  const rows = await eye.run(ACTIVITIES, [arrayText(backends)], "once");
  return new Map(rows.map(({ name, waits }) => [String(name), waits === true ? "waiting" : "working"]));
}

/**
 * Ends those of the backends that wait for their client: the server undoes their transactions and frees their
 * locks.
 */
export async function endWaiting(eye: Connection, backends: readonly string[]): Promise<void> {
  if (backends.length > 0) await eye.run(END_WAITING, [arrayText(backends)], "once");
}
