/**
 * The projection rows of one unit of work: what was read, with its version, and what is to be written. A row
 * that was read is written only if nobody else has written it since, so that two processes that count in one
 * row lose nothing.
 *
 * @module
 */
import { compareCodePoints } from "../../message/json_format.ts";
import type { RowWrite, StoredRow } from "../../adapters/ports.ts";
import type { ProjectionDefinition } from "../elements/projection.ts";

/** A row as this unit of work has it. */
export interface ViewRow {
  readonly id: string;
  /**
   * `read`: as stored; `written`: to be stored; `stale`: read once, and to be read again before it is shown.
   */
  readonly state: "read" | "written" | "stale";
  /** JSON text; undefined: there is none. */
  readonly text: string | undefined;
  /** Version read, -1 for a row that was missing; undefined: not read. */
  readonly version: number | undefined;
}

/** Where `list` begins and how far it goes. */
export interface Page {
  readonly after: string | undefined;
  readonly limit: number;
}

export class ViewRows {
  readonly #rows = new Map<ProjectionDefinition, Map<string, ViewRow>>();

  /** The row, if the store need not be asked. */
  known(projection: ProjectionDefinition, id: string): ViewRow | undefined {
    const row = this.#rows.get(projection)?.get(id);
    return row?.state === "stale" ? undefined : row;
  }

  /** Takes in what was read, unless the unit of work has something newer to write. */
  read(projection: ProjectionDefinition, id: string, row: StoredRow | undefined): ViewRow {
    const known = this.known(projection, id);
    if (known?.state === "written") return known;
    return this.#set(projection, { id, state: "read", text: row?.state, version: row?.version ?? -1 });
  }

  /** Notes a write; `text` undefined deletes. */
  write(projection: ProjectionDefinition, id: string, text: string | undefined): void {
    const version = this.#rows.get(projection)?.get(id)?.version;
    this.#set(projection, { id, state: "written", text, version });
  }

  /** How many rows `list` must read beyond its limit, because they may be deleted here. */
  deletions(projection: ProjectionDefinition): number {
    return this.#written(projection).filter(({ text }) => text === undefined).length;
  }

  /**
   * A page of stored rows as this unit of work sees it: with its own writes. `full` says that more rows are
   * stored behind those of the page.
   */
  overlay(
    projection: ProjectionDefinition,
    stored: readonly StoredRow[],
    page: Page,
    full: boolean,
  ): ViewRow[] {
    const rows = new Map(stored.map((row) => [row.id, this.read(projection, row.id, row)]));
    const last = full ? stored.at(-1)?.id : undefined;
    for (const row of this.#written(projection)) {
      if (page.after !== undefined && compareCodePoints(row.id, page.after) <= 0) continue;
      if (last === undefined || compareCodePoints(row.id, last) <= 0) rows.set(row.id, row);
    }
    return [...rows.values()].filter(({ text }) => text !== undefined)
      .sort((a, b) => compareCodePoints(a.id, b.id)).slice(0, page.limit);
  }

  /** The writes for the tables of `provider`; counted as stored from here on. */
  takeRows(provider: string): RowWrite[] {
    const writes: RowWrite[] = [];
    for (const [projection, rows] of this.#rows) {
      if (projection.provider !== provider) continue;
      for (const { id, state, text, version } of rows.values()) {
        if (state !== "written") continue;
        // Nothing was there and nothing is to be there.
        const needless = text === undefined && version === -1;
        if (!needless) writes.push({ table: projection.table, id, state: text, expected: version });
        const stored = version === undefined ? undefined : version + 1;
        rows.set(id, { id, state: "read", text, version: text === undefined ? -1 : stored });
      }
    }
    return writes;
  }

  /** Providers whose tables are to be written. */
  get providers(): readonly string[] {
    return [...this.#rows.keys()].filter((projection) => this.#written(projection).length > 0)
      .map(({ provider }) => provider);
  }

  /**
   * A statement of the user's own may have changed any row: what was merely read is read again when asked
   * for.
   */
  forget(): void {
    for (const rows of this.#rows.values()) {
      for (const row of rows.values()) if (row.state === "read") rows.set(row.id, { ...row, state: "stale" });
    }
  }

  #written(projection: ProjectionDefinition): ViewRow[] {
    return [...this.#rows.get(projection)?.values() ?? []].filter(({ state }) => state === "written");
  }

  #set(projection: ProjectionDefinition, row: ViewRow): ViewRow {
    let rows = this.#rows.get(projection);
    if (!rows) this.#rows.set(projection, rows = new Map());
    rows.set(row.id, row);
    return row;
  }
}
