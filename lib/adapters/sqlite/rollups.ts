/**
 * Rollups in a SQLite file, a row for each subscription and minute.
 *
 * @module
 */
import type { Clock } from "../../async/clock.ts";
import { creation } from "../migrations.ts";
import {
  LARGEST,
  type Rollup,
  ROLLUP_BUCKETS,
  ROLLUP_FIGURES,
  ROLLUP_KEPT_MS,
  type RollupFigure,
  rollupFigures,
  type Rollups,
} from "../ports.ts";
import type { DatabaseFile } from "./file/database_file.ts";
import { component } from "./file/migrate.ts";
import { statement } from "./file/statements.ts";

const FIGURES: readonly string[] = [...ROLLUP_FIGURES, ...ROLLUP_BUCKETS];

/** Names of subscriptions are JSON texts, for SQLite's end at a NUL. */
export const rollupComponent = component({
  name: "rollups",
  columns: { protean_rollup: ["subscription", "minute", ...FIGURES] },
  steps: [creation(
    `CREATE TABLE protean_rollup (subscription text NOT NULL, minute integer NOT NULL,
  ${FIGURES.map((name) => `${name} integer NOT NULL`).join(", ")},
  PRIMARY KEY (subscription, minute)) WITHOUT ROWID, STRICT`,
    "CREATE INDEX protean_rollup_minute ON protean_rollup (minute)",
  )],
});

const sum = (name: string) =>
  LARGEST.has(name as RollupFigure) ? `max(${name}, excluded.${name})` : `${name} + excluded.${name}`;
const ADD = `INSERT INTO protean_rollup (subscription, minute, ${FIGURES.join(", ")})
  VALUES (?, ?, ${FIGURES.map(() => "?").join(", ")})
  ON CONFLICT (subscription, minute) DO UPDATE SET ${
  FIGURES.map((name) => `${name} = ${sum(name)}`).join(", ")
}`;
const FORGET_OLD = "DELETE FROM protean_rollup WHERE minute < ?";
const READ =
  "SELECT * FROM protean_rollup WHERE subscription = ? AND minute >= ? AND minute < ? ORDER BY minute";

export class SqliteRollups implements Rollups {
  constructor(private readonly file: DatabaseFile, private readonly clock: Clock) {}

  async add(rollups: readonly Rollup[]): Promise<void> {
    if (rollups.length === 0) return;
    await this.file.write((db) => {
      statement(db, FORGET_OLD).run(this.#oldest());
      for (const { subscription, minute, figures, buckets } of rollups) {
        statement(db, ADD).run(
          JSON.stringify(subscription),
          minute,
          ...ROLLUP_FIGURES.map((name) => figures[name]),
          ...ROLLUP_BUCKETS.map((_, at) => buckets[at] ?? 0),
        );
      }
    });
  }

  async read(subscription: string, from: number, to: number): Promise<readonly Rollup[]> {
    const first = Math.max(from, this.#oldest());
    const rows = await this.file.read((db) =>
      statement(db, READ).all(JSON.stringify(subscription), first, to)
    );
    return rows.map((row) => ({
      subscription,
      minute: Number(row["minute"]),
      figures: rollupFigures((name) => Number(row[name])),
      buckets: ROLLUP_BUCKETS.map((name) => Number(row[name])),
    }));
  }

  #oldest(): number {
    return Math.ceil((this.clock.now() - ROLLUP_KEPT_MS) / 60_000);
  }
}
