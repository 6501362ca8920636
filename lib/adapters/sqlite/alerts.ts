/**
 * Alerts as rows of a SQLite file. What is written is on the disk before it is answered: an alert that came
 * back with the power would be told twice.
 *
 * @module
 */
import { creation } from "../migrations.ts";
import type { AlertChange, AlertRecords } from "../ports.ts";
import type { DatabaseFile } from "./file/database_file.ts";
import { component } from "./file/migrate.ts";
import { statement } from "./file/statements.ts";

/** Ids and data are JSON texts of their owner, which hold no NUL. */
export const alertComponent = component({
  name: "alerts",
  columns: { protean_alert: ["id", "data"] },
  steps: [creation(
    "CREATE TABLE protean_alert (id text NOT NULL PRIMARY KEY, data text NOT NULL) WITHOUT ROWID, STRICT",
  )],
});

export class SqliteAlerts implements AlertRecords {
  readonly #file: DatabaseFile;

  constructor(file: DatabaseFile) {
    this.#file = file;
  }

  async all(): Promise<ReadonlyMap<string, string>> {
    const rows = await this.#file.read((db) => statement(db, "SELECT id, data FROM protean_alert").all());
    return new Map(rows.map(({ id, data }) => [String(id), String(data)]));
  }

  async change(changes: readonly AlertChange[]): Promise<readonly boolean[]> {
    if (changes.length === 0) return [];
    return await this.#file.write((db) =>
      changes.map(({ id, was, data }) => {
        const kept = statement(db, "SELECT data FROM protean_alert WHERE id = ?").get(id);
        if ((kept === undefined ? undefined : String(kept["data"])) !== was) return false;
        if (data === undefined) statement(db, "DELETE FROM protean_alert WHERE id = ?").run(id);
        else statement(db, "INSERT OR REPLACE INTO protean_alert (id, data) VALUES (?, ?)").run(id, data);
        return true;
      }), { durable: true });
  }
}
