/**
 * Parted categories in Redis, on the keys that Python has them on (wire 2.11): an owner of ours and one of
 * Python's take turns.
 *
 * @module
 */
import type { Redis } from "ioredis";
import { type Clock, momentOf } from "../../async/clock.ts";
import {
  haltedPartitions,
  partitionGeneration,
  partitionIndex,
  partitionLease,
  partitionStream,
} from "../../message/partitions.ts";
import { failureGroups } from "../../message/names.ts";
import { HeldLocks, type LeaseLock } from "../lease_lock.ts";
import type {
  Halt,
  HaltedPartition,
  Partition,
  PartitionEntry,
  PartitionLease,
  PartitionLeaseOptions,
  Partitions,
  PartitionsInfo,
  Unblock,
} from "../ports.ts";
import { haltedIn } from "../halted.ts";
import { fenced } from "../stream_rules.ts";
import type { CommandOptions, Endpoint } from "./endpoint.ts";
import type { KeyOf, StreamKey } from "./keys.ts";
import { deadLetter } from "./dead_letter_scripts.ts";
import * as scripts from "./partition_scripts.ts";
import { entriesRead } from "./replies.ts";
import { dropLock, renewLock } from "./lock_scripts.ts";
import { attempt, refresh, release, retire, type Script, trim } from "./scripts.ts";
import { TRIM_LIMIT } from "../stream_rules.ts";

/** Streams that one script looks at. */
const STEP = 200;

export interface RedisPartitionsOptions {
  readonly redis: () => Endpoint;
  readonly keyOf: KeyOf;
  readonly clock: Clock;
}

export class RedisPartitions implements Partitions {
  readonly #held = new HeldLocks();

  constructor(private readonly options: RedisPartitionsOptions) {}

  async keys(stream: string): Promise<readonly string[]> {
    return await this.#ask(stream, (client) => client.smembers(this.#keyOf(partitionIndex(stream))));
  }

  async count(stream: string): Promise<number> {
    return await this.#ask(stream, (client) => client.scard(this.#keyOf(partitionIndex(stream))));
  }

  async lease(options: PartitionLeaseOptions): Promise<PartitionLease | undefined> {
    const { group, key, owner, ttlMs, renewMs } = options;
    const { clock } = this.options;
    const name = partitionLease(group, key);
    const place = this.#keyOf(name);
    const keys = [place, this.#keyOf(partitionGeneration(group, key))];
    const redis = this.options.redis();
    const since = momentOf(clock);
    const generation = await redis.run(
      (client) => scripts.acquireLease.run(client, keys, [owner, ttlMs]),
      { key: name },
    );
    if (typeof generation !== "number") return undefined;
    const fence = `${owner}:${generation}`;
    const held = this.#held.hold({
      ...{ name, clock, since, ttlMs, renewMs },
      renew: async () =>
        await redis.run((client) => renewLock.run(client, [place], [fence, ttlMs]), { key: name }) === 1,
      release: async () =>
        void await redis.run((client) => dropLock.run(client, [place], [fence]), { key: name }),
    });
    return withFence(held, fence);
  }

  open(options: Parameters<Partitions["open"]>[0]): Partition {
    return new RedisPartition(this.options, options);
  }

  async news(stream: string, group: string, keys: readonly string[]): Promise<readonly string[]> {
    const found: string[] = [];
    for (let at = 0; at < keys.length; at += STEP) {
      const some = keys.slice(at, at + STEP);
      const places = await this.#ask(
        stream,
        (client) =>
          scripts.news.run(client, some.map((key) => this.#keyOf(partitionStream(stream, key))), [group]),
      );
      found.push(...(places as readonly number[]).flatMap((place) => some[place - 1] ?? []));
    }
    return found;
  }

  async halted(stream: string, group: string): Promise<readonly HaltedPartition[]> {
    const noted = await this.#ask(
      stream,
      (client) => client.hgetall(this.#keyOf(haltedPartitions(stream, group))),
    );
    return haltedIn(Object.entries(noted));
  }

  async unblock({ stream, group, halted: { key, halt }, letter }: Unblock): Promise<boolean> {
    const names = [haltedPartitions(stream, group), partitionStream(stream, key)];
    if (letter) names.push(letter.deadLetterStream, failureGroups(letter.deadLetterStream));
    const args = [key, group, JSON.stringify(halt), halt.id, letter?.data ?? ""];
    const done = await this.options.redis().run(
      (client) => scripts.unblock.run(client, names.map((name) => this.#keyOf(name)), args),
      { key: stream },
    );
    return done === 1;
  }

  async info(
    stream: string,
    group: string,
    most: number,
    some?: readonly string[],
  ): Promise<PartitionsInfo | undefined> {
    if ((some?.length ?? await this.count(stream)) > most) return undefined;
    const keys = some ?? await this.keys(stream);
    let total: PartitionsInfo = { keys: keys.length, length: 0, lag: 0, pending: 0, consumers: 0 };
    for (let at = 0; at < keys.length; at += STEP) {
      const streams = keys.slice(at, at + STEP).map((key) => this.#keyOf(partitionStream(stream, key)));
      const [length, lag, pending, consumers] = await this.#ask(
        stream,
        (client) => scripts.totals.run(client, streams, [group]),
      ) as readonly [number, number, number, number];
      total = {
        keys: keys.length,
        length: total.length + length,
        lag: total.lag === null || lag < 0 ? null : total.lag + lag,
        pending: total.pending + pending,
        consumers: total.consumers + consumers,
      };
    }
    return total;
  }

  /** Gives back what is held. Never rejects. */
  async close(): Promise<void> {
    await this.#held.close();
  }

  #keyOf(name: string): StreamKey {
    return this.options.keyOf(name);
  }

  #ask<T>(stream: string, send: (client: Redis) => Promise<T>): Promise<T> {
    return this.options.redis().run(send, { key: stream, repeatable: true });
  }
}

class RedisPartition implements Partition {
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
  readonly #options: RedisPartitionsOptions;
  readonly #category: string;
  readonly #key: string;
  readonly #lease: PartitionLease;
  readonly #maxEntryBytes: number | undefined;
  /** Not read here: what Python has written there must be left, with the key by which Python finds it. */
  readonly #backfill: string | undefined;

  constructor(options: RedisPartitionsOptions, place: Parameters<Partitions["open"]>[0]) {
    const { stream, key, group, lease, maxEntryBytes, backfillSuffix } = place;
    this.#options = options;
    this.#category = stream;
    this.#key = key;
    this.#lease = lease;
    this.#maxEntryBytes = maxEntryBytes;
    this.stream = partitionStream(stream, key);
    this.group = group;
    this.consumer = lease.fence;
    this.#backfill = backfillSuffix === undefined ? undefined : `${this.stream}:${backfillSuffix}`;
  }

  async adopt(): Promise<boolean> {
    const names = [this.#leaseName, this.stream, partitionIndex(this.#category), this.#haltedName];
    const adopted = await this.#fenced(scripts.adopt, names, [this.group, this.#key]);
    return adopted === 1;
  }

  async next(): Promise<PartitionEntry | undefined> {
    const keys = [this.#leaseName, this.stream].map((name) => this.#keyOf(name));
    const reply = await this.#behindFence((client) =>
      scripts.next.runForBuffers(client, keys, [this.consumer, this.group])
    ) as readonly [number, unknown] | null;
    if (reply === null) return undefined;
    const [count, read] = reply;
    const [entry] = await entriesRead(read, { maxEntryBytes: this.#maxEntryBytes });
    return entry && { ...entry, count: Math.max(1, count), trimmed: false, pending: count > 0 };
  }

  async attempt(id: string): Promise<number | undefined> {
    return await this.#owned(attempt, [id]) as number | null ?? undefined;
  }

  async refresh(ids: readonly string[]): Promise<readonly string[]> {
    return await this.#owned(refresh, ids, { repeatable: true }) as readonly string[];
  }

  async ack(ids: readonly string[]): Promise<void> {
    await this.#fenced(scripts.fencedAck, [this.#leaseName, this.stream], [this.group, ...ids]);
  }

  async deadLetter(id: string, deadLetterStream: string, data: string): Promise<boolean> {
    const names = [this.stream, deadLetterStream, failureGroups(deadLetterStream)];
    const keys = names.map((name) => this.#keyOf(name));
    const moved = await this.#run((client) =>
      deadLetter.run(client, keys, [this.group, this.consumer, id, data, 0])
    );
    return moved === 1;
  }

  async release(entries: readonly { readonly id: string; readonly count: number }[]): Promise<void> {
    if (entries.length === 0) return;
    await this.#owned(release, entries.flatMap(({ id, count }) => [id, count]), { repeatable: true });
  }

  async trim(maxLength: number): Promise<number> {
    const keys = [this.#keyOf(this.stream)];
    return Number(await this.#run((client) => trim.run(client, keys, [maxLength, TRIM_LIMIT])));
  }

  async halt(halt: Halt, count: number): Promise<boolean> {
    const names = [this.#leaseName, this.stream, this.#haltedName];
    const args = [this.group, halt.id, count, this.#key, JSON.stringify(halt)];
    return await this.#fenced(scripts.halt, names, args) === 1;
  }

  async halted(): Promise<boolean> {
    const keys = [this.#haltedName, this.stream].map((name) => this.#keyOf(name));
    const args = [this.#key, this.group];
    return await this.#run((client) => scripts.stillHalted.run(client, keys, args), { repeatable: true }) ===
      1;
  }

  async reap(idleMs: number): Promise<boolean> {
    const streams = this.#backfill === undefined ? [this.stream] : [this.stream, this.#backfill];
    const keys = [partitionIndex(this.#category), ...streams].map((name) => this.#keyOf(name));
    return await this.#run((client) => scripts.reap.run(client, keys, [this.#key, idleMs])) === 1;
  }

  async retire(): Promise<void> {
    await this.#owned(retire, [], { repeatable: true });
  }

  get #leaseName(): string {
    return this.#lease.name;
  }

  get #haltedName(): string {
    return haltedPartitions(this.#category, this.group);
  }

  /** A script whose first key is the lease and whose first argument is the fence. */
  #fenced(script: Script, names: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    const keys = names.map((name) => this.#keyOf(name));
    return this.#behindFence((client) => script.run(client, keys, [this.consumer, ...args]));
  }

  async #behindFence<T>(send: (client: Redis) => Promise<T>): Promise<T> {
    const reply = await this.#run(async (client) => {
      try {
        return { reply: await send(client) };
      } catch (error) {
        if (error instanceof Error && /\bFENCED\b/.test(error.message.slice(0, 20))) return undefined;
        throw error;
      }
    });
    if (!reply) throw fenced(this.stream, this.consumer);
    return reply.reply;
  }

  /** A script that looks at who has the entry: nobody else's consumer is called like the fence. */
  #owned(
    script: Script,
    args: readonly (string | number)[],
    options: CommandOptions = {},
  ): Promise<unknown> {
    const keys = [this.#keyOf(this.stream)];
    return this.#run((client) => script.run(client, keys, [this.group, this.consumer, ...args]), options);
  }

  #keyOf(name: string): StreamKey {
    return this.#options.keyOf(name);
  }

  #run<T>(send: (client: Redis) => Promise<T>, options: CommandOptions = {}): Promise<T> {
    return this.#options.redis().run(send, { key: this.stream, ...options });
  }
}

function withFence(lock: LeaseLock, fence: string): PartitionLease {
  return {
    fence,
    name: lock.name,
    signal: lock.signal,
    [Symbol.asyncDispose]: () => lock[Symbol.asyncDispose](),
  };
}
