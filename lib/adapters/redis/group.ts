/**
 * One consumer of one group on one Redis stream.
 *
 * @module
 */
import type { Redis } from "ioredis";
import { IncorrectUsageError, RefusedError } from "../../errors.ts";
import type {
  ClaimedEntry,
  GroupInfo,
  GroupOptions,
  HandedOver,
  OwnConsumers,
  PendingEntry,
  Postponed,
  ReadOptions,
  StreamEntry,
  StreamGroup,
} from "../ports.ts";
import { failureGroups, postponements } from "../../message/names.ts";
import { compareIdTexts, cursorText } from "../stream_id.ts";
import { RELEASED_IDLE_MS, TRIM_LIMIT } from "../stream_rules.ts";
import { BlockingReader } from "./blocking_reader.ts";
import type { CommandOptions, Endpoint } from "./endpoint.ts";
import { unlessRefused } from "./faults.ts";
import type { KeyOf, StreamKey } from "./keys.ts";
import { PollingReader } from "./polling_reader.ts";
import { goneAfter, type Peer, type Presence } from "./presence.ts";
import {
  attempt,
  claim,
  handOver,
  postpone,
  refresh,
  release,
  retire,
  type Script,
  sweep,
  trim,
} from "./scripts.ts";
import { deadLetter } from "./dead_letter_scripts.ts";
import { fetchEntries } from "./entries.ts";
import { Others } from "./others.ts";
import { groupsOf, nothingThere } from "./replies.ts";
import { acknowledge, type StreamPlace } from "./stream_place.ts";

export class RedisStreamGroup implements StreamGroup {
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
  readonly #place: StreamPlace;
  readonly #keyOf: KeyOf;
  readonly #endpoint: Endpoint;
  readonly #presence: Presence;
  readonly #onClose: (group: RedisStreamGroup) => void;
  readonly #others: Others;
  readonly #polling: PollingReader;
  #blocking: BlockingReader | undefined;
  /** The read that is under way. */
  #reading: { readonly cut: () => void; readonly entries: Promise<unknown> } | undefined;
  /** Redis knows this consumer. */
  #announced = false;
  #closed = false;
  /** On the clock's monotonic scale. */
  readonly #begun: number;
  /** Nobody else was in the group: who comes meanwhile is not to be taken for gone so soon (monotonic). */
  #aloneUntil = -Infinity;

  constructor(
    endpoint: Endpoint,
    presence: Presence,
    keyOf: KeyOf,
    options: GroupOptions,
    onClose: (group: RedisStreamGroup) => void,
  ) {
    const { stream, group, consumer, lane = false, maxEntryBytes } = options;
    this.stream = stream;
    this.group = group;
    this.consumer = consumer;
    this.#place = { stream, key: keyOf(stream), group, consumer, lane, maxEntryBytes };
    this.#keyOf = keyOf;
    this.#endpoint = endpoint;
    this.#presence = presence;
    this.#begun = endpoint.server.clock.monotonic();
    this.#polling = new PollingReader(endpoint, this.#place);
    this.#onClose = onClose;
    this.#others = new Others(() => this.#peers(), endpoint.server.clock);
  }

  async ensure(): Promise<boolean> {
    const { key, group } = this.#place;
    const made = await this.#run(async (client) => {
      // At maxmemory Redis refuses to make a group, also one that is there, while it lets it be read (D4).
      if (await hasGroup(client, key, group)) return false;
      // A lane is made by the first replay, and by nothing else (delivery 19).
      const make = this.#place.lane ? [] : ["MKSTREAM"];
      try {
        await client.call("XGROUP", ["CREATE", key, group, "0", ...make]);
        return true;
      } catch (error) {
        const text = error instanceof Error ? error.message : "";
        if (text.startsWith("BUSYGROUP") || this.#place.lane && text.includes("requires the key to exist")) {
          return false;
        }
        throw error;
      }
    }, { repeatable: true });
    // A lane is there for moments only.
    if (!this.#place.lane && !this.#closed) this.#presence.join(this.#place);
    return made;
  }

  async read(options: ReadOptions): Promise<readonly StreamEntry[]> {
    const { signal, ack = [] } = options;
    if (this.#reading) {
      throw new IncorrectUsageError(
        `Consumer '${this.consumer}' of '${this.stream}' is reading already: await that read before the next.`,
      );
    }
    if (this.#closed || signal?.aborted) {
      if (ack.length > 0) await this.ack(ack);
      return [];
    }
    const stop = new AbortController();
    const cut = () => stop.abort();
    signal?.addEventListener("abort", cut);
    const entries = this.#read(options, stop.signal);
    this.#reading = { cut, entries };
    try {
      return await entries;
    } finally {
      signal?.removeEventListener("abort", cut);
      this.#reading = undefined;
    }
  }

  async relink(signal?: AbortSignal): Promise<void> {
    // Polls share the connection of the commands, which make a new one first, too.
    await this.#blocking?.relink(signal);
  }

  async ack(ids: readonly string[]): Promise<number> {
    if (ids.length === 0) return 0;
    return await this.#run((client) => acknowledge(client, this.#place, ids), { repeatable: true });
  }

  async refresh(ids: readonly string[]): Promise<readonly string[]> {
    if (ids.length === 0) return [];
    return await this.#script(refresh, ids, { repeatable: true }) as readonly string[];
  }

  async attempt(id: string): Promise<number | undefined> {
    return await this.#script(attempt, [id]) as number | null ?? undefined;
  }

  async postpone(id: string, { times, ms }: Postponed, count: number): Promise<boolean> {
    const kept = await this.#run((client) =>
      postpone.run(client, [this.#place.key, this.#postponements], [
        ...[this.group, this.consumer, id, times, Math.ceil(ms), count, POSTPONED_KEPT_MS],
      ]), { repeatable: true });
    return kept === 1;
  }

  async forgetPostponed(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#run((client) => client.hdel(this.#postponements, ...ids), { repeatable: true });
  }

  async pending(
    options: {
      readonly limit: number;
      readonly after?: string;
      readonly consumer?: string;
      readonly minIdleMs?: number;
    },
  ): Promise<readonly PendingEntry[]> {
    const { limit, after, consumer, minIdleMs = 0 } = options;
    if (after !== undefined) cursorText(after);
    if (limit < 1) return [];
    const page = { limit, after };
    if (consumer !== undefined || minIdleMs <= 0) return await this.#page({ ...page, consumer, minIdleMs });
    const peers = await this.#peers();
    const extraMs = this.#presence.steppedWithin(minIdleMs);
    const shown = new Map(peers.filter(isShown).map((peer) => [peer.name, peer]));
    // The living keep what is theirs however long it takes (D11), unless they have handed it back.
    const due = ({ consumer, idleMs }: PendingEntry) =>
      !shown.has(consumer) || idleMs >= RELEASED_IDLE_MS + extraMs;
    const left = peers.filter((peer) => peer.pending > 0 && this.#isGone(peer, minIdleMs)).map(({ name }) =>
      name
    );
    const found = await Promise.all([
      this.#dueAfter(page, minIdleMs + extraMs, due),
      ...left.map(async (name) =>
        (await this.#page({ ...page, consumer: name, minIdleMs: 0 })).map((entry) => ({
          ...entry,
          idleMs: Infinity,
        }))
      ),
    ]);
    const once = new Map(found.flat().map((entry) => [entry.id, entry]));
    return [...once.values()].sort((a, b) => compareIdTexts(a.id, b.id))
      .slice(0, limit);
  }

  async claim(
    entries: readonly { readonly id: string; readonly from: string }[],
    minIdleMs: number,
    maxBytes?: number,
  ): Promise<readonly ClaimedEntry[]> {
    if (entries.length === 0) return [];
    const peers = new Map((await this.#peers()).map((peer) => [peer.name, peer]));
    const extraMs = this.#presence.steppedWithin(minIdleMs);
    const least = (from: string) => {
      const peer = peers.get(from);
      if (!peer || !isShown(peer)) return minIdleMs + extraMs;
      return this.#isGone(peer, minIdleMs) ? OWNER_IS_GONE : Math.max(minIdleMs, RELEASED_IDLE_MS) + extraMs;
    };
    const args = entries.flatMap(({ id, from }) => [id, from, least(from)]);
    const latest = minIdleMs > 0 ? this.#presence.latest : ANY_TIME;
    const claimed = await this.#run((client) =>
      claim.run(client, [this.#place.key, this.#postponements], [
        ...[this.group, this.consumer, goneAfter(minIdleMs), latest],
        ...args,
      ])
    ) as readonly Claim[];
    const texts = await this.#texts(claimed.filter(([, , held]) => held === 1).map(([id]) => id), maxBytes);
    return claimed.map(([id, count, , left]) => {
      const entry = texts.get(id);
      if (!entry) return { id, data: undefined, count, trimmed: true };
      const [times, ms] = left.split(" ").map(Number);
      const postponed = times && ms !== undefined ? { times, ms } : undefined;
      return { ...entry, count, trimmed: false, ...(postponed && { postponed }) };
    });
  }

  /** Of what has been claimed; what the stream holds no longer leaves the pending list. */
  async #texts(ids: readonly string[], maxBytes: number | undefined): Promise<Map<string, StreamEntry>> {
    const { maxEntryBytes } = this.#place;
    let found: readonly StreamEntry[];
    try {
      found = await fetchEntries(this.#endpoint, this.#place, ids, { maxEntryBytes, maxBytes });
    } catch (error) {
      // They are ours now: whoever leaves texts out asks for them later.
      if (maxBytes === undefined) throw error;
      found = ids.map((id) => ({ id, data: undefined, omitted: 0 }));
    }
    if (found.length < ids.length) await this.refresh(ids);
    return new Map(found.map((entry) => [entry.id, entry]));
  }

  async unclear(): Promise<boolean> {
    const now = this.#endpoint.server.clock.monotonic();
    if (!this.#presence.looks || now < this.#aloneUntil) return false;
    const mineMs = now - this.#begun;
    const peers = await this.#peers();
    if (peers.length === 0 && this.#presence.looks) this.#aloneUntil = now + ALONE_MS;
    return peers.some((peer) =>
      peer.pending > 0 && isShown(peer) && peer.unseenMs >= Math.min(mineMs, goneAfter(Infinity))
    );
  }

  async deadLetter(id: string, deadLetterStream: string, data: string): Promise<boolean> {
    const { key, lane } = this.#place;
    const { settings } = this.#endpoint.server;
    const keys = [key, this.#keyOf(deadLetterStream), this.#keyOf(failureGroups(deadLetterStream))];
    const args = [this.group, this.consumer, id, data, lane ? 1 : 0];
    const moved = await this.#run(async (client) =>
      unlessRefused(await deadLetter.run(client, keys, args), settings, deadLetterStream)
    );
    return moved === 1;
  }

  async handOver(id: string): Promise<HandedOver> {
    for (let tries = 0; tries < HAND_OVER_TRIES; tries++) {
      const other = await this.#others.next();
      if (other === undefined) return "nobody";
      const outcome = await this.#script(handOver, [id, other]);
      this.#others.handed(other, outcome !== -1);
      if (outcome !== -1) return outcome === 1 ? "handed" : "lost";
    }
    return "nobody";
  }

  async release(entries: readonly { readonly id: string; readonly count: number }[]): Promise<void> {
    if (entries.length === 0) return;
    await this.#script(release, entries.flatMap(({ id, count }) => [id, count]), { repeatable: true });
  }

  async trim(maxLength: number): Promise<number> {
    const trimmed = await this.#run((client) => trim.run(client, [this.#place.key], [maxLength, TRIM_LIMIT]));
    return Number(trimmed);
  }

  async retire(): Promise<boolean> {
    await this.#presence.leave(this.#place);
    this.#announced = false;
    const gone = await this.#script(retire, [], { repeatable: true }) === 1;
    if (gone) await this.#presence.forget([this.consumer]);
    return gone;
  }

  async sweep(idleMs: number, own?: OwnConsumers): Promise<readonly string[]> {
    const args = [idleMs, own?.prefix ?? "", own?.idleMs ?? 0];
    const gone = await this.#script(sweep, args) as readonly string[];
    await this.#presence.forget(gone);
    return gone;
  }

  async info(): Promise<GroupInfo | undefined> {
    const groups = await this.#run((client) => groupsOf(client, this.#place.key), { repeatable: true });
    return groups.find(({ group }) => group === this.group);
  }

  /** Also cuts the read that is under way, which resolves with what it has. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#presence.leave(this.#place);
    this.#reading?.cut();
    await this.#reading?.entries.catch(() => {});
    const reader = this.#blocking;
    this.#blocking = undefined;
    await reader?.close();
    this.#onClose(this);
  }

  /** What is postponed of this group on this stream. */
  get #postponements(): StreamKey {
    return this.#keyOf(postponements(this.stream, this.group));
  }

  /** The others of this group; none where nobody looks. */
  async #peers(): Promise<readonly Peer[]> {
    if (!this.#presence.looks) return [];
    try {
      return await this.#run((client) => this.#presence.peers(client, this.#place), { repeatable: true });
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      this.#presence.refuse(error);
      return [];
    }
  }

  #isGone(peer: Peer, claimIdleMs: number): boolean {
    return isShown(peer) && this.#presence.isGone(peer.unseenMs, claimIdleMs);
  }

  /** A page of those that may be due, without those that are not, as far as it takes to fill it. */
  async #dueAfter(
    page: { readonly limit: number; readonly after: string | undefined },
    minIdleMs: number,
    due: (entry: PendingEntry) => boolean,
  ): Promise<readonly PendingEntry[]> {
    const found: PendingEntry[] = [];
    let after = page.after;
    while (found.length < page.limit) {
      const next = await this.#page({ limit: page.limit, after, consumer: undefined, minIdleMs });
      found.push(...next.filter(due));
      if (next.length < page.limit) break;
      after = next.at(-1)?.id;
    }
    return found.slice(0, page.limit);
  }

  async #page(
    { limit, after, consumer, minIdleMs }: {
      readonly limit: number;
      readonly after: string | undefined;
      readonly consumer: string | undefined;
      readonly minIdleMs: number;
    },
  ): Promise<readonly PendingEntry[]> {
    const rows = await this.#run((client) =>
      client.call("XPENDING", [
        ...[this.#place.key, this.group],
        ...minIdleMs > 0 ? ["IDLE", Math.ceil(minIdleMs)] : [],
        ...[after === undefined ? "-" : `(${after}`, "+", limit],
        ...consumer === undefined ? [] : [consumer],
      ]).catch(nothingThere), { repeatable: true });
    return (rows as readonly [string, string, number, number][]).map(([id, owner, idleMs, count]) => ({
      id,
      consumer: owner,
      idleMs,
      count,
    }));
  }

  async #read(options: ReadOptions, signal: AbortSignal): Promise<readonly StreamEntry[]> {
    const { count, blockMs = 0, ack = [], maxBytes } = options;
    const announce = !this.#announced && !this.#place.lane;
    const request = { count, blockMs, ack, announce, maxBytes, signal };
    const reader = this.#blockingReader(blockMs) ?? this.#polling;
    this.#announced = true;
    try {
      return await reader.read(request);
    } catch (error) {
      this.#announced = false;
      throw error;
    }
  }

  /**
   * The connection to block on, kept from the first blocking read on; none for lanes and beyond
   * `max_connections`.
   */
  #blockingReader(blockMs: number): BlockingReader | undefined {
    if (this.#blocking || this.#place.lane || blockMs <= 0) return this.#blocking;
    const own = this.#endpoint.reserve(this.#place.key);
    return this.#blocking = own && new BlockingReader(this.#endpoint, own, this.#place);
  }

  /** A script about this consumer's entries: its first arguments are the group and the consumer. */
  #script(
    script: Script,
    args: readonly (string | number)[],
    options: CommandOptions = {},
  ): Promise<unknown> {
    return this.#run(
      (client) => script.run(client, [this.#place.key], [this.group, this.consumer, ...args]),
      options,
    );
  }

  #run<T>(send: (client: Redis) => Promise<T>, options: CommandOptions = {}): Promise<T> {
    return this.#endpoint.run(send, { key: this.stream, ...options });
  }
}

/** Each time somebody else had gone meanwhile. */
const HAND_OVER_TRIES = 3;

/** As the script `claim` answers. */
type Claim = readonly [id: string, count: number, held: 0 | 1, postponed: string];

/**
 * Who is alone looks so seldom for others: less than `goneAfter` tells of those that claim late, so that one
 * who comes and dies between two looks is found as soon as it counts as gone.
 */
const ALONE_MS = 2_500;

/** Longer than anything waits, so that what nobody comes back for goes by itself. */
const POSTPONED_KEPT_MS = 8 * 86_400_000;

/** For the script `claim`. */
const OWNER_IS_GONE = -1;
const ANY_TIME = -1;

function isShown(peer: Peer): peer is Peer & { readonly unseenMs: number } {
  return peer.unseenMs !== undefined;
}

/**
 * False also where the user may not look: then it is made, or is found to be there. The stream's groups are
 * not listed for it: a process may have hundreds, each of which asks.
 */
async function hasGroup(client: Redis, stream: StreamKey, group: string): Promise<boolean> {
  try {
    await client.xinfo("CONSUMERS", stream, group);
    return true;
  } catch (error) {
    if (error instanceof Error && /^(NOPERM|NOGROUP|ERR no such key)/.test(error.message)) return false;
    throw error;
  }
}
