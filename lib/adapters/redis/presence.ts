/**
 * Which consumers are alive (delivery 22). Every process of ours shows itself once a second in each of its
 * groups, by reading behind the end of its own pending entries: that leaves nothing behind, works while Redis
 * is full, and is what XINFO CONSUMERS tells the others. Who has not been seen for some seconds is gone, and
 * what it left need not wait for the claim threshold.
 *
 * Only consumers of the set `protean:consumers` are judged: a Python service shows nothing, and its consumers
 * have names alike. Whoever was cut off itself does not judge: after an outage everybody looks dead to the
 * first who comes back (D11).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { Redis } from "ioredis";
import { betweenMs, type Clock, type Moment, momentOf, sleep } from "../../async/clock.ts";
import { together } from "../../async/every.ts";
import { asError, RefusedError } from "../../errors.ts";
import type { Endpoint } from "./endpoint.ts";
import { explain } from "./faults.ts";
import { LONGEST_RECONNECT_MS } from "./outage.ts";
import { nothingThere, pairs } from "./replies.ts";
import type { StreamKey } from "./keys.ts";
import { ServerTime } from "./server_time.ts";
import type { RedisSettings } from "./settings.ts";
import type { StreamPlace } from "./stream_place.ts";

const log = getLogger(["protean", "redis"]);

/** The set of processes that show themselves, by the end of their consumers' names. */
export const MEMBERS = "protean:consumers";
const SHOW_MS = 1_000;
/** A look may be late by this much and leave no gap. */
const LATE_MS = 1_500;
/**
 * Not seen for so long: gone, unless a shorter claim threshold says so. At least two looks must be missing.
 */
const GONE_MS = 3_500;
const SOONEST_GONE_MS = 2 * SHOW_MS;
/** How long one must have been heard oneself to judge one that was silent already when one began. */
const SILENT_BEFORE_MS = 5_000;
/** And how long after Redis's clock was put: all are connected, and show themselves every second. */
const AFTER_STEP_MS = 10_000;
/** Behind every entry; the greatest id itself means "new ones". */
const BEHIND_THE_END = "18446744073709551615-18446744073709551614";

/** One consumer of a group, as the others see it. */
export interface Peer {
  readonly name: string;
  readonly pending: number;
  /** Milliseconds since it was seen; undefined for one that does not show itself. */
  readonly unseenMs: number | undefined;
  /** Milliseconds since it read, or was handed, anything. */
  readonly idleMs: number;
}

/**
 * `<host>-<pid>-<6 hex>` of a consumer's name `<Handler>-<host>-<pid>-<6 hex>` (wire 2.3); undefined for
 * other names.
 */
export function identityOf(consumer: string): string | undefined {
  return /^[^-]+-(.+-\d+-[0-9a-f]{6})$/.exec(consumer)?.[1];
}

/**
 * How long a process that shows itself may be unseen in a group whose entries are claimable after
 * `claimIdleMs`: whoever wants them sooner has them sooner.
 */
export function goneAfter(claimIdleMs: number): number {
  return noLaterThan(GONE_MS, claimIdleMs);
}

/**
 * Milliseconds that one must have been heard oneself after an outage to judge the others, who have the same
 * settings: an attempt to connect may have begun right before Redis was back and takes `connectMs` to fail, the
 * next waits, the first look follows; half as much again is for a machine at work.
 */
export function judgesAfterOutage({ connectMs }: Pick<RedisSettings, "connectMs">): number {
  return 1.5 * (connectMs + LONGEST_RECONNECT_MS + SHOW_MS + LATE_MS);
}

function noLaterThan(ms: number, claimIdleMs: number): number {
  return Math.min(ms, Math.max(SOONEST_GONE_MS, claimIdleMs));
}

export class Presence {
  readonly #endpoint: Endpoint;
  readonly #members: StreamKey;
  readonly #clock: Clock;
  readonly #places = new Map<StreamPlace, string>();
  #stop: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();
  /** The look that is under way. */
  #looking: Promise<void> = Promise.resolve();
  /**
   * Since when every look was answered in time (monotonic), and when the last one was: on both scales, for
   * the others go on while this machine is suspended.
   */
  #heard: { readonly since: number; readonly last: Moment } | undefined;
  /** How long it must have been heard since then, after it was cut off or the clock was put; 0: neither was. */
  #doubtMs = 0;
  #refused = false;
  /** It was told that a right is missing. */
  #warned = false;
  /** Every age that Redis tells is taken from its own clock, which may be put (D11). */
  readonly #time: ServerTime;

  /** `members` is the key of the set. */
  constructor(endpoint: Endpoint, members: StreamKey) {
    this.#endpoint = endpoint;
    this.#members = members;
    this.#clock = endpoint.server.clock;
    this.#time = new ServerTime(this.#clock, () => this.#stepped());
  }

  /**
   * Begins to show this consumer; does nothing for names that are not of our making. It is in the set when this
   * resolves, as far as Redis takes it: the process may die before the next look, and what it has read by then
   * is to be found by the others, who would overtake it. Never rejects: the looks tell what is wrong.
   */
  async join(place: StreamPlace): Promise<void> {
    const identity = identityOf(place.consumer);
    if (identity === undefined || this.#places.has(place)) return;
    this.#places.set(place, identity);
    if (!this.#stop) {
      this.#stop = new AbortController();
      this.#running = this.#run(this.#stop.signal);
    }
    await this.#endpoint.run((client) => client.sadd(this.#members, identity), { repeatable: true })
      .catch(() => {});
  }

  /**
   * Shows it no more: to be awaited before the consumer is removed, for a look would make it again.
   * Idempotent.
   */
  async leave(place: StreamPlace): Promise<void> {
    if (!this.#places.delete(place)) return;
    await this.#looking;
    if (this.#places.size === 0) await this.close();
  }

  /**
   * Takes consumers that were removed out of the set, but for those whose identity is still shown. Never
   * rejects: what stays there costs a few bytes.
   */
  async forget(consumers: readonly string[]): Promise<void> {
    if (consumers.length === 0) return;
    const shown = new Set(this.#places.values());
    const gone = consumers.flatMap((name) => identityOf(name) ?? []).filter((identity) =>
      !shown.has(identity)
    );
    if (gone.length === 0) return;
    await this.#endpoint.run((client) => client.srem(this.#members, ...gone), { repeatable: true }).catch(
      () => {},
    );
  }

  /** Ends the looks; nothing of them is left when this resolves. */
  async close(): Promise<void> {
    this.#stop?.abort();
    this.#stop = undefined;
    await this.#running;
    this.#heard = undefined;
  }

  /**
   * Whether the process of a peer that was not seen for `unseenMs` is gone, in a group whose entries are
   * claimable after `claimIdleMs`. Only who was heard for long enough itself, without a gap, can tell: others
   * may have been cut off as well.
   */
  isGone(unseenMs: number, claimIdleMs: number): boolean {
    const goneMs = goneAfter(claimIdleMs);
    if (!this.#heard || this.#refused || unseenMs < goneMs) return false;
    const now = momentOf(this.#clock);
    if (isGap(this.#heard.last, now)) return false;
    const heardMs = now.monotonic - this.#heard.since;
    if (this.#doubtMs > 0) return heardMs >= this.#doubtMs;
    // One that was seen right before we began has died since; of another we do not know what kept it silent.
    const seenBefore = unseenMs - heardMs <= SHOW_MS + LATE_MS;
    return heardMs >= (seenBefore ? goneMs : noLaterThan(SILENT_BEFORE_MS, claimIdleMs));
  }

  /** True while looks are made and may come to tell something. */
  get looks(): boolean {
    return this.#stop !== undefined && !this.#refused;
  }

  /** As `ServerTime.latest`. */
  get latest(): number {
    return this.#time.latest;
  }

  /**
   * How much older than they are entries may seem that nobody has touched for `ms`, because Redis's clock was
   * put forward meanwhile.
   */
  steppedWithin(ms: number): number {
    return this.#time.steppedWithin(ms);
  }

  /** The other consumers of the group that show themselves or have something pending. */
  async peers(client: Redis, place: StreamPlace): Promise<readonly Peer[]> {
    // Asked behind the others' ages: a step that is in them is seen.
    const found = consumersOf(client, place, this.#members).catch((error) => {
      throw this.#ofMembers(error);
    });
    const [peers] = await Promise.all([found, this.#time.look(client)]);
    this.#warned = false;
    return peers.filter(({ name }) => name !== place.consumer);
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#looking = this.#look();
      await this.#looking;
      await sleep(this.#clock, together(this.#clock, SHOW_MS), signal);
    }
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    const began = momentOf(this.#clock);
    const places = [...this.#places];
    try {
      await this.#endpoint.run((client) => this.#show(client, places));
      this.#answered(began);
    } catch (error) {
      this.#unanswered(asError(error));
    }
  }

  async #show(client: Redis, places: readonly (readonly [StreamPlace, string])[]): Promise<void> {
    const shown = places.map(([{ key, group, consumer }]) =>
      client.call("XREADGROUP", ["GROUP", group, consumer, "COUNT", 1, "STREAMS", key, BEHIND_THE_END])
        .catch(nobodyThere)
    );
    // At every look, for Redis may have lost the set. Refused while Redis is full: until it is not, the
    // others go by the claim threshold.
    const identities = [...new Set(places.map(([, identity]) => identity))];
    const added = identities.length === 0 ? undefined : client.sadd(this.#members, ...identities).catch(
      (error: Error) => {
        if (!error.message.startsWith("OOM")) throw this.#ofMembers(error);
      },
    );
    await Promise.all([...shown, added, this.#time.look(client)]);
  }

  /** Nobody has shown himself since: as after an outage, they are given time to. */
  #stepped(): void {
    if (!this.#heard) return;
    this.#doubt(AFTER_STEP_MS);
    this.#heard = { ...this.#heard, since: this.#clock.monotonic() };
  }

  #doubt(ms: number): void {
    this.#doubtMs = Math.max(this.#doubtMs, ms);
  }

  /** Of another type is the set: with a stream that is, there is nobody to ask for. */
  #ofMembers(error: Error): Error {
    if (!error.message.startsWith("WRONGTYPE")) return error;
    return explain(error, this.#endpoint.server.settings, { key: this.#members });
  }

  #answered(began: Moment): void {
    const wasCutOff = this.#heard !== undefined && isGap(this.#heard.last, began);
    if (wasCutOff) this.#doubt(judgesAfterOutage(this.#endpoint.server.settings));
    const since = this.#heard && !wasCutOff ? this.#heard.since : began.monotonic;
    this.#heard = { since, last: began };
    // The right may have been given meanwhile: whoever asks for the others next finds out.
    this.#refused = false;
    if (began.monotonic - since >= this.#doubtMs) this.#doubtMs = 0;
  }

  #unanswered(error: Error): void {
    if (this.#heard) this.#doubt(judgesAfterOutage(this.#endpoint.server.settings));
    this.#heard = undefined;
    if (error instanceof RefusedError) this.refuse(error);
    else this.#refused = false;
  }

  /**
   * A right is missing that looking at each other takes: the claim threshold decides, as it does for others,
   * until a look is answered.
   */
  refuse(error: RefusedError): void {
    if (!this.#warned) {
      log.warn("redis.presence_refused", {
        error: `${error.message} Until then a dead process's messages wait for the claim threshold.`,
      });
    }
    this.#refused = true;
    this.#warned = true;
  }
}

/**
 * The consumers of a group, none where only `consumer` is there; `members` is the key of the set of those that
 * show themselves.
 */
export async function consumersOf(
  client: Redis,
  { key, group, consumer }: {
    readonly key: StreamKey;
    readonly group: string;
    /** Who asks: alone there, it need not be looked up. */
    readonly consumer?: string;
  },
  members: StreamKey,
): Promise<readonly Peer[]> {
  const found = await client.call("XINFO", ["CONSUMERS", key, group]).catch(nobodyThere);
  const consumers = (found as readonly unknown[]).map(pairs);
  if (consumers.every(({ name }) => name === consumer)) return [];
  const identities = consumers.map(({ name }) => identityOf(String(name)) ?? "");
  const areMembers = await client.smismember(members, ...identities);
  return consumers.map(({ name, pending, idle }, at) => ({
    name: String(name),
    pending: Number(pending),
    unseenMs: areMembers[at] === 1 ? Number(idle) : undefined,
    idleMs: Number(idle),
  }));
}

/**
 * Who reads a stream that is something else tells it; the other groups of this process are none the worse for
 * it.
 */
function nobodyThere(error: Error): [] {
  return error.message.startsWith("WRONGTYPE") ? [] : nothingThere(error);
}

/** Whether more time went by between two looks than between one and the next. */
function isGap(last: Moment, next: Moment): boolean {
  return betweenMs(last, next) > SHOW_MS + LATE_MS;
}
