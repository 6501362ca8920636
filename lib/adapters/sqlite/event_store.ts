/**
 * The embedded event store: the table `messages`, by default in the provider's file, where appends ride in
 * the unit of work's transaction (delivery 14, 15).
 *
 * @module
 */
import {
  type AdapterOptions,
  BaseEventStore,
  type BaseProvider,
  type ComponentSchema,
  type EventAppend,
  type ReadEventsOptions,
  type StoredEvent,
} from "../ports.ts";
import { DatabaseFile } from "./file/database_file.ts";
import { appendEvents, eventComponent, lastEvent, readEvents } from "./tables/events.ts";
import { SqliteProvider } from "./provider.ts";
import { sqlitePath } from "./file/uri.ts";

export class SqliteEventStore extends BaseEventStore {
  /** Absolute path of the file. */
  readonly path: string;
  readonly #file: DatabaseFile;

  /**
   * Reads `database_uri`, by default `sqlite:///<domain>.db`. Throws `ConfigurationError` for a URI that
   * names no file.
   */
  constructor(options: AdapterOptions) {
    super(options);
    const uri = String(options.settings.database_uri ?? `sqlite:///${options.domain}.db`);
    this.path = sqlitePath(uri, options.folder);
    this.#file = new DatabaseFile({
      path: this.path,
      synchronous: "FULL",
      clock: options.clock,
      components: [eventComponent],
      migrate: options.migrate,
    });
  }

  override async open(): Promise<void> {
    await this.#file.open();
  }

  override async schema(): Promise<readonly ComponentSchema[]> {
    return await this.#file.schema();
  }

  override async upgrade(): Promise<void> {
    await this.#file.upgrade();
  }

  async ping(signal: AbortSignal): Promise<void> {
    await this.#file.ping(signal);
  }

  override async close(): Promise<void> {
    await this.#file.close();
  }

  override sharesTransactionWith(provider: BaseProvider): boolean {
    return provider instanceof SqliteProvider && provider.file.isSameAs(this.#file);
  }

  async append(
    events: readonly EventAppend[],
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly number[]> {
    const now = new Date(this.options.clock.now()).toISOString();
    return await this.#file.write((db) => appendEvents(db, events, now), { notify: true, signal });
  }

  async read(stream: string, options: ReadEventsOptions): Promise<readonly StoredEvent[]> {
    return await this.#file.read((db) => readEvents(db, stream, options));
  }

  override watch(listener: () => void): () => void {
    return this.#file.watch(listener);
  }

  async last(stream: string): Promise<StoredEvent | undefined> {
    return await this.#file.read((db) => lastEvent(db, stream));
  }
}
