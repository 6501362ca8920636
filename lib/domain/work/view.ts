/**
 * `ctx.view(Projection)`: the rows of a projection, in its database or in its cache, within one unit of work.
 *
 * @module
 */
import { IncorrectUsageError } from "../../errors.ts";
import { unstorable } from "../../message/storable.ts";
import type { ProjectionDefinition } from "../elements/projection.ts";
import type { In, Out, Schema, View } from "../types.ts";
import type { Work } from "./work.ts";
import type { Page } from "./view_rows.ts";

const DEFAULT_LIMIT = 100;

/** The view of `projection`, wherever its rows are. */
export function viewOf<S extends Schema>(work: Work, projection: ProjectionDefinition<S>): View<S> {
  return projection.cache === undefined
    ? new StoredView(work, projection)
    : new CachedView(work, projection, projection.cache);
}

class StoredView<S extends Schema> implements View<S> {
  constructor(private readonly work: Work, private readonly projection: ProjectionDefinition<S>) {}

  async get(id: string): Promise<Out<S> | undefined> {
    if (unstorable(id)) return undefined;
    const text = await this.work.readRow(this.projection, id);
    return text === undefined ? undefined : this.projection.read(id, text);
  }

  async getMany(ids: readonly string[]): Promise<ReadonlyMap<string, Out<S>>> {
    const texts = await this.work.readRows(this.projection, ids);
    return new Map([...texts].map(([id, text]) => [id, this.projection.read(id, text)]));
  }

  async list(options: { limit?: number; after?: string } = {}): Promise<Out<S>[]> {
    const rows = await this.work.listRows(this.projection, pageOf(options));
    return rows.map(({ id, text }) => this.projection.read(id, text));
  }

  async put(row: In<S>): Promise<void> {
    const { id, text } = this.projection.write(row);
    await this.work.writeRow(this.projection, id, text);
  }

  async delete(id: string): Promise<void> {
    if (!unstorable(id)) await this.work.writeRow(this.projection, id, undefined);
  }
}

class CachedView<S extends Schema> implements View<S> {
  constructor(
    private readonly work: Work,
    private readonly projection: ProjectionDefinition<S>,
    private readonly name: string,
  ) {}

  async get(id: string): Promise<Out<S> | undefined> {
    const text = await this.work.cache((cache) => cache.get(this.name, this.projection.cacheKey(id)));
    return text === undefined ? undefined : this.projection.read(id, text);
  }

  async getMany(ids: readonly string[]): Promise<ReadonlyMap<string, Out<S>>> {
    const own = [...new Set(ids)];
    const keys = own.map((id) => this.projection.cacheKey(id));
    const texts = await this.work.cache((cache) => cache.getMany(this.name, keys));
    return new Map(own.flatMap((id, index) => {
      const text = texts[index];
      return text === undefined ? [] : [[id, this.projection.read(id, text)] as const];
    }));
  }

  async list(options: { limit?: number; after?: string } = {}): Promise<Out<S>[]> {
    const page = pageOf(options);
    const prefix = this.projection.cacheKey("");
    const rows = await this.work.cache((cache) => cache.list(this.name, prefix, page));
    return rows.map(({ key, text }) => this.projection.read(key.slice(prefix.length), text));
  }

  async put(row: In<S>): Promise<void> {
    const { id, text } = this.projection.write(row);
    await this.work.cache((cache) => cache.write(this.name, this.projection.cacheKey(id), text));
  }

  async delete(id: string): Promise<void> {
    await this.work.cache((cache) => cache.write(this.name, this.projection.cacheKey(id), undefined));
  }
}

function pageOf({ limit = DEFAULT_LIMIT, after }: { limit?: number; after?: string }): Page {
  if (!Number.isInteger(limit) || limit < 1) {
    throw new IncorrectUsageError(`A view lists a positive whole number of rows: the limit is ${limit}.`);
  }
  const reason = after === undefined ? undefined : unstorable(after);
  if (reason !== undefined) throw new IncorrectUsageError(`A view has no row behind an id that ${reason}.`);
  return { limit, after };
}
