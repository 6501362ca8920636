/**
 * Streams with consumer groups in a SQLite file: Redis's semantics with nothing to install (delivery 14).
 * Several processes may share the file; they notice each other's entries within 5 to 20 ms.
 *
 * @module
 */
import {
  type AdapterOptions,
  type AlertRecords,
  BaseBroker,
  type BrokerCapabilities,
  type ComponentSchema,
  type DeadLetters,
  type GroupAges,
  type GroupInfo,
  type GroupOptions,
  type Lock,
  type LockOptions,
  type OperationRecords,
  type Partitions,
  type Peers,
  type PublishResult,
  type Rollups,
  type StreamEntry,
  type StreamEntryInsert,
  type StreamGroup,
  type TextLimits,
} from "../ports.ts";
import { BrokerUnavailableError } from "../../errors.ts";
import { TextBudget } from "../entry_text.ts";
import { parseStreamId } from "../stream_id.ts";
import { DatabaseFile } from "./file/database_file.ts";
import { partitionStream } from "../../message/partitions.ts";
import { alertComponent, SqliteAlerts } from "./alerts.ts";
import { lockComponent, SqliteLocks } from "./locks.ts";
import { operationComponent, SqliteOperations } from "./operations.ts";
import { SqlitePartitions } from "./partitions/partitions.ts";
import { noteKey, partitionComponent } from "./partitions/rows.ts";
import { peerComponent, SqlitePeers } from "./peers.ts";
import { rollupComponent, SqliteRollups } from "./rollups.ts";
import { SqliteDeadLetters } from "./streams/dead_letters.ts";
import { collectDropped } from "./streams/drop.ts";
import { failureComponent } from "./streams/failure_groups.ts";
import { fedComponent } from "./streams/fed.ts";
import { SqliteStreamGroup } from "./streams/group.ts";
import { groupInfos } from "./streams/group_rows.ts";
import { dropGroup, groupAges } from "./streams/operators.ts";
import { append, findStream } from "./streams/rows.ts";
import { entriesIn, findWithin } from "./streams/texts.ts";
import { postponedComponent } from "./streams/postponed.ts";
import { streamComponent } from "./streams/schema.ts";
import { sqlitePath } from "./file/uri.ts";

export class SqliteBroker extends BaseBroker {
  readonly capabilities: BrokerCapabilities = {
    embedded: true,
    inOrder: true,
  };
  readonly #file: DatabaseFile;
  readonly #deadLetters: DeadLetters;
  readonly #locks: SqliteLocks;
  readonly #closing = new AbortController();
  readonly #partitions: SqlitePartitions;

  /**
   * `settings.URI` names the file; without it, `<domain>-streams.db` in the folder. Throws
   * `ConfigurationError`.
   */
  constructor(options: AdapterOptions) {
    super(options);
    const { URI: uri = `sqlite:///${options.domain}-streams.db` } = options.settings;
    this.#file = new DatabaseFile({
      path: sqlitePath(String(uri), options.folder),
      // Deliveries, acknowledgements, claims, trimming: what a power cut undoes of them is done again. What
      // must not be lost says so itself (D13).
      synchronous: "NORMAL",
      clock: options.clock,
      components: [
        streamComponent,
        postponedComponent,
        lockComponent,
        partitionComponent,
        operationComponent,
        alertComponent,
        fedComponent,
        failureComponent,
        peerComponent,
        rollupComponent,
      ],
      migrate: options.migrate,
      unavailable: BrokerUnavailableError,
    });
    this.#deadLetters = new SqliteDeadLetters(this.#file, options.clock);
    this.#locks = new SqliteLocks(
      (work, options) => this.#file.write(work, options),
      () => this.#file.silence,
      options.clock,
    );
    this.#partitions = new SqlitePartitions({
      ...{ database: this.#file, clock: options.clock },
      group: (place) => this.group(place),
    });
  }

  override async open(_signal?: AbortSignal): Promise<void> {
    await this.#file.open();
    if (this.options.migrate ?? true) await collectDropped(this.#file);
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

  /**
   * All of them in one transaction, on the disk when it resolves: the outbox then records its rows as
   * published, and a record that outlived its entry would be an event that nobody gets (D13, G1).
   */
  async publish(
    entries: readonly StreamEntryInsert[],
    signal?: AbortSignal,
  ): Promise<readonly PublishResult[]> {
    if (entries.length === 0) return [];
    const ids = await this.#file.write(
      (db) => {
        const placed = entries.map(({ stream, data, partition }) => {
          if (partition === undefined) return { stream, data };
          noteKey(db, stream, partition);
          return { stream: partitionStream(stream, partition), data };
        });
        return append(db, placed, this.options.clock.now());
      },
      { notify: true, durable: true, signal },
    );
    return ids.map((id) => ({ id }));
  }

  override get rollups(): Rollups {
    return new SqliteRollups(this.#file, this.options.clock);
  }

  override get peers(): Peers {
    return new SqlitePeers(this.#file, this.options.clock);
  }

  override get partitions(): Partitions {
    return this.#partitions;
  }

  override group(options: GroupOptions): StreamGroup {
    return new SqliteStreamGroup(this.#file, this.options.clock, options, this.#closing.signal);
  }

  override async entries(
    stream: string,
    ids: readonly string[],
    limits: TextLimits = {},
  ): Promise<readonly StreamEntry[]> {
    const rows = await this.#file.read((db) => {
      const row = findStream(db, stream);
      if (!row) return [];
      const budget = new TextBudget(limits);
      return ids.flatMap((id) => {
        const key = parseStreamId(id);
        const found = key && findWithin(db, row.id, key, budget);
        return found ? [found] : [];
      });
    });
    return await entriesIn(rows, limits.maxEntryBytes);
  }

  override get deadLetters(): DeadLetters {
    return this.#deadLetters;
  }

  override get operations(): OperationRecords {
    return new SqliteOperations(this.#file);
  }

  override get alerts(): AlertRecords {
    return new SqliteAlerts(this.#file);
  }

  override async groups(stream: string): Promise<readonly GroupInfo[]> {
    return await this.#file.read((db) => groupInfos(db, stream));
  }

  override async groupAges(stream: string, group: string): Promise<GroupAges | undefined> {
    return await this.#file.read((db) => groupAges(db, stream, group));
  }

  override async dropGroup(stream: string, group: string): Promise<boolean> {
    return await this.#file.write((db) => dropGroup(db, stream, group), { notify: true, durable: true });
  }

  async length(stream: string): Promise<number> {
    return await this.#file.read((db) => findStream(db, stream)?.length ?? 0);
  }

  override async lock(name: string, options?: LockOptions): Promise<Lock | undefined> {
    return await this.#locks.lock(name, options);
  }

  /** Ends reads that wait, and gives the file back. */
  override async close(): Promise<void> {
    this.#closing.abort();
    await this.#locks.close();
    await this.#partitions.close();
    await this.#file.close();
  }
}
