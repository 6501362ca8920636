/**
 * How far replay lanes were fed (`DeadLetters.feed`). Every function runs inside the caller's transaction.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { creation } from "../../migrations.ts";
import { OPERATION_KEPT_MS } from "../../ports.ts";
import { component } from "../file/migrate.ts";
import { statement } from "../file/statements.ts";

export const fedComponent = component({
  name: "fed",
  columns: { protean_stream_fed: ["lane", "id", "at", "written"] },
  steps: [creation(
    `CREATE TABLE protean_stream_fed (
  lane text NOT NULL,
  id text NOT NULL,
  at text NOT NULL,
  written integer NOT NULL,
  PRIMARY KEY (lane, id)
) WITHOUT ROWID, STRICT`,
  )],
});

/** Where the mark stands; empty: there is none. */
export function fedTo(db: DatabaseSync, lane: string, id: string): string {
  const row = statement(db, "SELECT at FROM protean_stream_fed WHERE lane = ? AND id = ?").get(lane, id);
  return row ? String(row["at"]) : "";
}

/** `now`: epoch ms, as all times of the file. */
export function feedTo(
  db: DatabaseSync,
  { lane, id, at }: { readonly lane: string; readonly id: string; readonly at: string },
  now: number,
): void {
  statement(db, "DELETE FROM protean_stream_fed WHERE written < ?").run(Math.floor(now - OPERATION_KEPT_MS));
  statement(
    db,
    `INSERT INTO protean_stream_fed (lane, id, at, written) VALUES (?, ?, ?, ?)
      ON CONFLICT (lane, id) DO UPDATE SET at = excluded.at, written = excluded.written`,
  ).run(lane, id, at, Math.floor(now));
}
