/**
 * The outbox of the memory provider: the rules of delivery 9 without a file. Its rows are added by a unit of
 * work's commit.
 *
 * @module
 */
import type { Clock } from "../../async/clock.ts";
import { allShards, fairShare } from "../outbox_share.ts";
import type { RetentionClock } from "../retention_clock.ts";
import {
  orderOf,
  type OutboxBacklog,
  type OutboxInsert,
  type OutboxLease,
  type OutboxListing,
  type OutboxOutcome,
  type OutboxRow,
  type OutboxStats,
  type OutboxStatus,
  type OutboxStore,
  type OutboxWaiting,
} from "../ports.ts";

interface Row {
  readonly seq: number;
  readonly insert: OutboxInsert;
  readonly createdAt: number;
  status: OutboxStatus;
  retryCount: number;
  /** Epoch ms; only while `failed`. */
  retryAt: number | undefined;
  lastError: string | undefined;
  processedAt: number;
  /** The lease that is processing it. */
  holder: symbol | undefined;
}

export class MemoryOutbox implements OutboxStore {
  /** In order of `seq`. */
  readonly #rows = new Map<number, Row>();
  /** Those neither published nor abandoned, in order of `seq` too: the poll does not look at the history. */
  #active = new Map<number, Row>();
  readonly #keys = new Set<string>();
  /** `<broker> <shard>` to its holder. */
  readonly #leases = new Map<string, symbol>();
  /** Those that share a broker's shards. */
  readonly #standing = new Map<string, Set<symbol>>();
  readonly #listeners = new Set<{ readonly wake: () => void }>();
  #seq = 0;
  #announced = false;

  constructor(private readonly clock: Clock, private readonly retention: RetentionClock) {}

  /** Adds pending rows; those of messages that are in the outbox for that broker already are left out. */
  add(inserts: readonly OutboxInsert[]): void {
    for (const insert of inserts) {
      const key = keyOf(insert);
      if (this.#keys.has(key)) continue;
      this.#keys.add(key);
      const seq = ++this.#seq;
      const now = this.clock.now();
      const row: Row = {
        seq,
        insert,
        createdAt: now,
        status: "pending",
        retryCount: 0,
        retryAt: undefined,
        lastError: undefined,
        processedAt: now,
        holder: undefined,
      };
      this.#rows.set(seq, row);
      this.#active.set(seq, row);
    }
    if (inserts.length > 0) this.#announce();
  }

  clear(): void {
    this.#rows.clear();
    this.#active.clear();
    this.#keys.clear();
  }

  async lease({ broker, owner }: { readonly broker: string; readonly owner: string }): Promise<OutboxLease> {
    await Promise.resolve();
    const holder = Symbol(owner);
    this.#standing.set(broker, (this.#standing.get(broker) ?? new Set()).add(holder));
    this.#share(broker, holder);
    return this.#leaseOf(broker, holder);
  }

  watch(wake: () => void): () => void {
    const listener = { wake };
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  stats(): Promise<OutboxStats> {
    const counts = { pending: 0, processing: 0, published: 0, failed: 0, abandoned: 0 };
    for (const { status } of this.#rows.values()) counts[status]++;
    return Promise.resolve({ counts, oldest: this.#active.values().next().value?.createdAt });
  }

  backlog(broker: string): Promise<OutboxBacklog> {
    const counts = { pending: 0, processing: 0, failed: 0, abandoned: 0 };
    for (const { status, insert } of this.#rows.values()) {
      if (insert.targetBroker === broker && status !== "published") counts[status]++;
    }
    return Promise.resolve(counts);
  }

  present(messageIds: readonly string[], broker: string): Promise<readonly string[]> {
    return Promise.resolve(
      messageIds.filter((messageId) => this.#keys.has(keyOf({ messageId, targetBroker: broker }))),
    );
  }

  oldestDue(broker: string): Promise<OutboxWaiting | undefined> {
    const [row] = this.#due(broker);
    if (!row) return Promise.resolve(undefined);
    const waitedMs = Math.max(0, this.clock.now() - row.createdAt);
    return Promise.resolve({ id: String(row.seq), waitedMs });
  }

  list(
    options: { readonly status?: OutboxStatus; readonly limit: number },
  ): Promise<readonly OutboxListing[]> {
    const { status, limit } = options;
    const rows = [...this.#rows.values()].filter((row) => status === undefined || row.status === status);
    return Promise.resolve(
      rows.slice(0, limit).map((row) => ({
        id: String(row.seq),
        messageId: row.insert.messageId,
        streamName: row.insert.streamName,
        type: row.insert.type,
        status: row.status,
        targetBroker: row.insert.targetBroker,
        retryCount: row.retryCount,
        lastError: row.lastError,
        createdAt: row.createdAt,
      })),
    );
  }

  requeue(ids?: readonly string[]): Promise<number> {
    let count = 0;
    for (const row of this.#rows.values()) {
      if (row.status !== "abandoned" && row.status !== "failed") continue;
      if (ids && !ids.includes(String(row.seq))) continue;
      Object.assign(row, { status: "pending", retryCount: 0, retryAt: undefined, lastError: undefined });
      count++;
    }
    if (count > 0) {
      const active = [...this.#rows].filter(([, { status }]) =>
        status !== "published" && status !== "abandoned"
      );
      this.#active = new Map(active);
      this.#announce();
    }
    return Promise.resolve(count);
  }

  clean(
    options: { readonly publishedBefore: number; readonly abandonedBefore: number; readonly limit: number },
  ): Promise<number> {
    let count = 0;
    const oldest = () => this.#rows.values().next().value?.processedAt;
    const publishedBefore = this.retention.cutOff(options.publishedBefore, oldest);
    const abandonedBefore = this.retention.cutOff(options.abandonedBefore, oldest);
    for (const row of this.#rows.values()) {
      if (count >= options.limit) break;
      const old = row.status === "published"
        ? row.processedAt < publishedBefore
        : row.status === "abandoned" && row.processedAt < abandonedBefore;
      if (!old) continue;
      this.#rows.delete(row.seq);
      this.#keys.delete(keyOf(row.insert));
      count++;
    }
    return Promise.resolve(count);
  }

  #leaseOf(broker: string, holder: symbol): OutboxLease {
    let released: readonly number[] | undefined;
    const shards = () => released ?? this.#held(broker, holder);
    let looked = 0;
    return {
      get shards() {
        return shards();
      },
      claim: (limit) => {
        looked = this.clock.now();
        return Promise.resolve(this.#claim(broker, holder, limit));
      },
      // In one process there is nobody else to give them to.
      assertHeld: () => {},
      settle: (outcomes) => Promise.resolve(this.#settle(outcomes, holder)),
      share: () => Promise.resolve(this.#share(broker, holder)),
      nextDue: () =>
        Promise.resolve(
          this.#nextDue(broker, ({ insert, retryAt = 0 }) => {
            return retryAt > looked && this.#held(broker, holder).includes(insert.shard);
          }),
        ),
      release: () => {
        released ??= shards();
        return Promise.resolve(this.#release(broker, holder));
      },
    };
  }

  #held(broker: string, holder: symbol | undefined): readonly number[] {
    return allShards.filter((shard) => this.#leases.get(`${broker} ${shard}`) === holder);
  }

  #free(broker: string): readonly number[] {
    return this.#held(broker, undefined);
  }

  #share(broker: string, holder: symbol): void {
    const standing = this.#standing.get(broker);
    if (!standing?.has(holder)) return;
    const fair = fairShare(standing.size);
    const held = this.#held(broker, holder);
    for (const shard of held.slice(fair)) this.#leases.delete(`${broker} ${shard}`);
    const room = Math.max(0, fair - held.length);
    for (const shard of this.#free(broker).slice(0, room)) this.#leases.set(`${broker} ${shard}`, holder);
  }

  /** When the next of the failed rows falls due that `wanted` names. */
  #nextDue(broker: string, wanted: (row: Row) => boolean): number | undefined {
    let due: number | undefined;
    for (const row of this.#active.values()) {
      if (row.insert.targetBroker !== broker || row.retryAt === undefined || !wanted(row)) continue;
      due = Math.min(due ?? Infinity, row.retryAt);
    }
    return due;
  }

  /**
   * Rows that may be claimed: not before their retry, nor behind an earlier row of their stream that waits
   * for its own.
   */
  #due(broker: string): readonly Row[] {
    const now = this.clock.now();
    const waiting = new Set<string>();
    return [...this.#active.values()].filter(({ insert, retryAt }) => {
      if (insert.targetBroker !== broker) return false;
      const order = orderOf(insert.streamName, insert.partitionKey);
      if (retryAt !== undefined && retryAt > now) waiting.add(order);
      return !waiting.has(order);
    });
  }

  #claim(broker: string, holder: symbol, limit: number): readonly OutboxRow[] {
    const rows = this.#due(broker).filter((row) =>
      this.#leases.get(`${broker} ${row.insert.shard}`) === holder && row.holder !== holder
    ).slice(0, limit);
    for (const row of rows) {
      Object.assign(row, { status: "processing", retryAt: undefined, processedAt: this.clock.now(), holder });
    }
    return rows.map((row) => ({
      id: String(row.seq),
      messageId: row.insert.messageId,
      streamName: row.insert.streamName,
      type: row.insert.type,
      data: row.insert.data,
      metadata: row.insert.metadata,
      priority: row.insert.priority,
      ...(row.insert.partitionKey !== undefined && { partitionKey: row.insert.partitionKey }),
      retryCount: row.retryCount,
      createdAt: row.createdAt,
    }));
  }

  #settle(outcomes: readonly OutboxOutcome[], holder: symbol): void {
    for (const outcome of outcomes) {
      const row = this.#rows.get(Number(outcome.id));
      if (!row || row.holder !== holder) continue;
      row.holder = undefined;
      row.status = outcome.status === "held" ? "pending" : outcome.status;
      row.processedAt = this.retention.stamp();
      if (outcome.status === "published") row.lastError = undefined;
      if (outcome.status === "published" || outcome.status === "abandoned") this.#active.delete(row.seq);
      if (outcome.status !== "failed" && outcome.status !== "abandoned") continue;
      if (outcome.status === "abandoned" || !outcome.uncounted) row.retryCount++;
      row.lastError = outcome.error;
      row.retryAt = outcome.status === "failed" ? outcome.retryAt : undefined;
    }
  }

  #release(broker: string, holder: symbol): void {
    this.#standing.get(broker)?.delete(holder);
    for (const [shard, other] of this.#leases) if (other === holder) this.#leases.delete(shard);
  }

  /** Any number of commits in one turn are one call. */
  #announce(): void {
    if (this.#announced) return;
    this.#announced = true;
    queueMicrotask(() => {
      this.#announced = false;
      for (const listener of [...this.#listeners]) if (this.#listeners.has(listener)) listener.wake();
    });
  }
}

function keyOf(insert: Pick<OutboxInsert, "messageId" | "targetBroker">): string {
  return `${insert.targetBroker} ${insert.messageId}`;
}
