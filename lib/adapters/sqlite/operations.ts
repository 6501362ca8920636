/**
 * Operations as rows of a SQLite file. What is written is on the disk before it is answered: an operation that
 * came back with the power would change letters twice.
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { creation } from "../migrations.ts";
import {
  type NewOperation,
  OPERATION_KEPT_MS,
  type OperationRecords,
  type OperationRow,
  type OperationState,
} from "../ports.ts";
import type { DatabaseFile } from "./file/database_file.ts";
import { component } from "./file/migrate.ts";
import { statement } from "./file/statements.ts";

export const operationComponent = component({
  name: "operations",
  columns: { protean_operation: ["id", "created", "state", "alike", "run", "beats", "data"] },
  steps: [creation(
    `CREATE TABLE protean_operation (
  id text NOT NULL PRIMARY KEY,
  created integer NOT NULL,
  state text NOT NULL,
  alike text NOT NULL,
  run text NOT NULL DEFAULT '',
  beats integer NOT NULL DEFAULT 0,
  data text NOT NULL
) STRICT`,
    "CREATE INDEX protean_operation_created ON protean_operation (created)",
  )],
});

const COLUMNS = "id, created, state, run, beats, data";
const UNFINISHED = "state IN ('planned', 'running', 'paused')";

export class SqliteOperations implements OperationRecords {
  readonly #database: DatabaseFile;

  constructor(database: DatabaseFile) {
    this.#database = database;
  }

  async create({ id, created, state, alike, data }: NewOperation): Promise<string | undefined> {
    return await this.#database.write((db) => {
      statement(db, "DELETE FROM protean_operation WHERE created < ?").run(created - OPERATION_KEPT_MS);
      const other = statement(
        db,
        `SELECT id FROM protean_operation WHERE alike = ? AND ${UNFINISHED} LIMIT 1`,
      )
        .get(alike);
      if (other) return String(other["id"]);
      statement(db, "INSERT INTO protean_operation (id, created, state, alike, data) VALUES (?, ?, ?, ?, ?)")
        .run(id, created, state, alike, data);
      return undefined;
    }, { durable: true });
  }

  async get(id: string): Promise<OperationRow | undefined> {
    return (await this.#rows(`SELECT ${COLUMNS} FROM protean_operation WHERE id = ?`, id))[0];
  }

  async list(limit: number): Promise<readonly OperationRow[]> {
    const sql = `SELECT ${COLUMNS} FROM protean_operation ORDER BY created DESC, rowid DESC LIMIT ?`;
    return await this.#rows(sql, limit);
  }

  async waiting(limit: number): Promise<readonly OperationRow[]> {
    const sql = `SELECT ${COLUMNS} FROM protean_operation WHERE state IN ('planned', 'running')
      ORDER BY created, rowid LIMIT ?`;
    return await this.#rows(sql, limit);
  }

  async turn(
    id: string,
    from: readonly OperationState[],
    to: OperationState,
  ): Promise<OperationState | undefined> {
    return await this.#database.write((db) => turned(db, id, from, to), { durable: true });
  }

  async begin(id: string, from: readonly OperationState[], run: string): Promise<OperationState | undefined> {
    return await this.#database.write((db) => {
      const was = turned(db, id, from, "running");
      if (was && from.includes(was)) {
        statement(db, "UPDATE protean_operation SET run = ? WHERE id = ?").run(run, id);
      }
      return was;
    }, { durable: true });
  }

  async save(id: string, run: string, data?: string): Promise<OperationState | undefined> {
    return await this.#database.write((db) => {
      const state = stateOf(db, id, run);
      if (!state) return undefined;
      statement(db, "UPDATE protean_operation SET beats = beats + 1, data = coalesce(?, data) WHERE id = ?")
        .run(data ?? null, id);
      return state;
    }, { durable: data !== undefined });
  }

  async end(id: string, run: string, to: OperationState, data: string): Promise<OperationState | undefined> {
    return await this.#database.write((db) => {
      const now = stateOf(db, id, run);
      if (!now) return undefined;
      const state = now === "running" ? to : now;
      statement(db, "UPDATE protean_operation SET state = ?, run = '', data = ? WHERE id = ?")
        .run(state, data, id);
      return state;
    }, { durable: true });
  }

  async #rows(sql: string, value: string | number): Promise<readonly OperationRow[]> {
    const rows = await this.#database.read((db) => statement(db, sql).all(value));
    return rows.map(({ id, created, state, run, beats, data }) => ({
      ...{ id: String(id), created: Number(created), state: String(state) as OperationState },
      ...{ run: String(run), beats: Number(beats), data: String(data) },
    }));
  }
}

function turned(
  db: DatabaseSync,
  id: string,
  from: readonly OperationState[],
  to: OperationState,
): OperationState | undefined {
  const row = statement(db, "SELECT state FROM protean_operation WHERE id = ?").get(id);
  const was = row && String(row["state"]) as OperationState;
  if (was && from.includes(was)) {
    statement(db, "UPDATE protean_operation SET state = ? WHERE id = ?").run(to, id);
  }
  return was;
}

function stateOf(db: DatabaseSync, id: string, run: string): OperationState | undefined {
  if (run === "") return undefined;
  const row = statement(db, "SELECT state FROM protean_operation WHERE id = ? AND run = ?").get(id, run);
  return row && String(row["state"]) as OperationState;
}
