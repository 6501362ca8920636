/**
 * Parted categories in a SQLite file. What a dead process owned is free at once, as its locks are; one that
 * lives and is not heard of keeps a key for the time of its lease.
 *
 * @module
 */
import { awakeMs, type Clock, momentOf } from "../../../async/clock.ts";
import { partitionLease, partitionStream } from "../../../message/partitions.ts";
import { haltedIn } from "../../halted.ts";
import { HeldLocks } from "../../lease_lock.ts";
import type {
  HaltedPartition,
  Partition,
  PartitionLease,
  PartitionLeaseOptions,
  Partitions,
  PartitionsInfo,
  StreamGroup,
  Unblock,
} from "../../ports.ts";
import { parseStreamId } from "../../stream_id.ts";
import type { DatabaseFile } from "../file/database_file.ts";
import { letGo, newHolder } from "../file/holders.ts";
import { acknowledge, findGroup, groupInfos, hasNewer, hasPending } from "../streams/group_rows.ts";
import { bury } from "../streams/failure_groups.ts";
import { findStream } from "../streams/rows.ts";
import { SqlitePartition } from "./partition.ts";
import { countKeys, dropLease, forgetHalt, haltOf, haltsOf, keysOf, renewLease, takeLease } from "./rows.ts";

export interface SqlitePartitionsOptions {
  readonly database: DatabaseFile;
  readonly clock: Clock;
  /** The consumer of a stream. */
  readonly group: (options: {
    readonly stream: string;
    readonly group: string;
    readonly consumer: string;
    readonly maxEntryBytes: number | undefined;
  }) => StreamGroup;
}

export class SqlitePartitions implements Partitions {
  readonly #held = new HeldLocks();

  constructor(private readonly options: SqlitePartitionsOptions) {}

  async keys(stream: string): Promise<readonly string[]> {
    return await this.options.database.read((db) => keysOf(db, stream));
  }

  async count(stream: string): Promise<number> {
    return await this.options.database.read((db) => countKeys(db, stream));
  }

  async lease(options: PartitionLeaseOptions): Promise<PartitionLease | undefined> {
    const { group, key, owner, ttlMs, renewMs } = options;
    const { database, clock } = this.options;
    const holder = newHolder("partition");
    const since = momentOf(clock);
    let fence: string | undefined;
    try {
      fence = await database.write((db) =>
        takeLease(db, { group, key }, { owner, holder, keptMs: ttlMs, look: database.silence.look() })
      );
    } finally {
      if (fence === undefined) letGo(holder);
    }
    if (fence === undefined) return undefined;
    const taken = fence;
    const name = partitionLease(group, key);
    const lock = this.#held.hold({
      ...{ name, clock, since, ttlMs, renewMs, elapsed: awakeMs },
      renew: () => database.write((db) => renewLease(db, { group, key }, taken, clock.now())),
      release: async () => {
        letGo(holder);
        await database.write((db) => dropLease(db, { group, key }, taken));
      },
    });
    return {
      ...{ fence, name, signal: lock.signal },
      [Symbol.asyncDispose]: () => lock[Symbol.asyncDispose](),
    };
  }

  open({ stream, key, group, lease, maxEntryBytes }: Parameters<Partitions["open"]>[0]): Partition {
    const { database, clock } = this.options;
    const consumer = lease.fence;
    return new SqlitePartition({
      ...{ database, clock, fence: consumer, maxEntryBytes, place: { stream, key, group } },
      entries: this.options.group({ stream: partitionStream(stream, key), group, consumer, maxEntryBytes }),
    });
  }

  async news(stream: string, group: string, keys: readonly string[]): Promise<readonly string[]> {
    return await this.options.database.read((db) =>
      keys.filter((key) => {
        const found = findGroup(db, partitionStream(stream, key), group);
        return !found || hasNewer(db, found) || hasPending(db, found);
      })
    );
  }

  async halted(stream: string, group: string): Promise<readonly HaltedPartition[]> {
    return haltedIn(await this.options.database.read((db) => haltsOf(db, stream, group)));
  }

  async unblock({ stream, group, halted: { key, halt }, letter }: Unblock): Promise<boolean> {
    const { database, clock } = this.options;
    return await database.write((db) => {
      const place = { stream, group, key };
      if (haltOf(db, place) !== JSON.stringify(halt)) return false;
      if (letter) bury(db, { stream: letter.deadLetterStream, data: letter.data }, clock.now());
      const found = findGroup(db, partitionStream(stream, key), group);
      const id = parseStreamId(halt.id);
      if (found && id) acknowledge(db, found, id);
      forgetHalt(db, place);
      return true;
    }, { durable: true });
  }

  async info(
    stream: string,
    group: string,
    most: number,
    some?: readonly string[],
  ): Promise<PartitionsInfo | undefined> {
    return await this.options.database.read((db) => {
      if ((some?.length ?? countKeys(db, stream)) > most) return undefined;
      const keys = some ?? keysOf(db, stream);
      let total: PartitionsInfo = { keys: keys.length, length: 0, lag: 0, pending: 0, consumers: 0 };
      for (const key of keys) {
        const name = partitionStream(stream, key);
        const length = findStream(db, name)?.length ?? 0;
        const info = groupInfos(db, name).find((each) => each.group === group) ??
          { length, lag: length, pending: 0, consumers: 0 };
        total = {
          keys: keys.length,
          length: total.length + length,
          lag: (total.lag ?? 0) + (info.lag ?? 0),
          pending: total.pending + info.pending,
          consumers: total.consumers + info.consumers,
        };
      }
      return total;
    });
  }

  /** Gives back what is held. Never rejects. */
  async close(): Promise<void> {
    await this.#held.close();
  }
}
