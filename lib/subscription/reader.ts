/**
 * The read loop: one batch ahead of the workers, acknowledgements taken along, and no end but shutdown
 * (PIPE-10).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { BatchSize } from "../async/batch_size.ts";
import { loopDelay } from "../async/backoff.ts";
import { sleep } from "../async/clock.ts";
import { asError, GroupMissingError } from "../errors.ts";
import type { WorkReporter } from "../status/work_health.ts";
import { sizeOf } from "./entry_size.ts";
import { MOST_SIZE } from "./holdings.ts";
import type { Recovery } from "./recovery.ts";
import type { SubscriptionScope } from "./scope.ts";
import type { StreamLane } from "./stream_lane.ts";

const log = getLogger(["protean", "subscription"]);

/** So often it is looked whether a pause lets something be read. */
const LOOK_MS = 500;

/** How often it is looked whether the other lane has nothing. */
const LANE_LOOK_MS = 50;

/**
 * Where reads have found nothing they block twice as long each, up to this: what comes ends them at once, and a
 * server that nobody sends to costs nothing.
 */
const IDLE_BLOCK_MS = 2_000;

/** When a lane is read that comes behind another (PIPE-12). It never blocks: it asks, and asks again. */
export interface Behind {
  /** The other lane has something. */
  readonly waits: () => boolean;
  /** After a read that found nothing. */
  readonly everyMs: number;
}

export class Reader {
  /** Monotonic time of the last completed turn of the loop (HLT-1). */
  lastTurn: number;
  /** True while the loop waits for room or in a read: then no turn is overdue. */
  paused = false;
  readonly #batch: BatchSize;
  #failures = 0;
  /** Reads in a row that found nothing. */
  #empty = 0;
  #ensured = false;
  #missing = false;

  constructor(
    private readonly scope: SubscriptionScope,
    private readonly lane: StreamLane,
    private readonly recovery: Recovery,
    /** Told how the reads go. */
    private readonly work?: WorkReporter,
    /** Of a lane that is read while another has nothing. */
    private readonly behind?: Behind,
  ) {
    this.lastTurn = scope.clock.monotonic();
    this.#batch = new BatchSize({
      most: scope.settings.messagesPerTick,
      mostSize: MOST_SIZE,
      cautious: lane.remote,
    });
  }

  /** Reads until `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.scope;
    while (!signal.aborted) {
      await this.#room(signal);
      if (signal.aborted) return;
      try {
        await this.#prepare(signal);
        await this.#read(signal);
        this.#recovered();
      } catch (error) {
        await this.#failed(asError(error), signal);
        if (this.#failures > 0) await sleep(clock, loopDelay(this.#failures, random), signal);
      }
      this.lastTurn = clock.monotonic();
    }
  }

  /**
   * Waits until the workers have begun the last batch, not too much is held back, and nothing older remains
   * to be taken over.
   */
  async #room(signal: AbortSignal): Promise<void> {
    const { inbox, settings, clock, pause } = this.scope;
    this.paused = true;
    const wait = () =>
      inbox.full || inbox.ready >= settings.messagesPerTick || this.recovery.behind ||
      pause.readable(1) === 0 || this.behind && inbox.later > 0;
    while (!signal.aborted) {
      if (wait()) {
        // A flush that failed has left some.
        this.lane.acks.linger();
        await inbox.changed.wait({ signal, ...(pause.on && { clock, ms: LOOK_MS }) });
      } else if (this.behind?.waits()) await sleep(clock, LANE_LOOK_MS, signal);
      else break;
    }
    this.paused = false;
    this.lastTurn = clock.monotonic();
  }

  async #prepare(signal: AbortSignal): Promise<void> {
    if (!this.#ensured) {
      const created = await this.lane.group.ensure();
      if (created && this.#missing) this.scope.figures.happened("groupsRecreated");
      this.#ensured = true;
    }
    if (this.#failures === 0) return;
    // Entries may have been delivered to us although the reply was lost. First, that no read is in flight.
    await this.lane.group.relink?.(signal);
    await this.recovery.own(this.lane);
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { inbox, settings, clock, pause } = this.scope;
    const { acks } = this.lane;
    const { next: count } = this.#batch;
    const taken = acks.take();
    let found = 0;
    try {
      await this.lane.read({
        count: Math.max(1, Math.min(count, pause.readable(settings.messagesPerTick))),
        maxBytes: MOST_SIZE,
        ...!this.behind && { blockMs: this.#blockMs() },
        signal,
        ...(taken.length > 0 ? { ack: taken.map((delivery) => delivery.id) } : {}),
      }, (entries) => {
        acks.confirm(taken);
        this.#batch.came(entries.length, sizeOf(entries));
        found = entries.length;
        if (entries.length > 0) inbox.addRead(this.lane, entries);
      });
    } catch (error) {
      acks.giveBack(taken);
      throw error;
    }
    this.#empty = found === 0 ? this.#empty + 1 : 0;
    if (this.behind && found === 0) await sleep(clock, this.behind.everyMs, signal);
    if (settings.tickIntervalSeconds > 0) await sleep(clock, settings.tickIntervalSeconds * 1000, signal);
  }

  #blockMs(): number {
    // After a failure the answer is wanted soon: until then readiness says that nothing is read.
    if (this.#failures > 0) return 1;
    const wanted = Math.max(1, this.scope.settings.blockingTimeoutMs);
    return Math.max(wanted, Math.min(wanted * 2 ** Math.min(this.#empty, 20), IDLE_BLOCK_MS));
  }

  #recovered(): void {
    const { group } = this.lane;
    this.work?.ok();
    if (this.#failures > 0) {
      log.info("subscription.reading_again", {
        stream: group.stream,
        group: group.group,
        attempts: this.#failures,
      });
    }
    if (this.#missing) log.info("subscription.group_recreated", { stream: group.stream, group: group.group });
    this.#failures = 0;
    this.#missing = false;
  }

  /** Logged once per transition, never once per try (PIPE-6). */
  #failed(error: Error, signal: AbortSignal): void {
    const { group } = this.lane;
    if (signal.aborted) return;
    const facts = { stream: group.stream, group: group.group, error: error.message };
    this.#ensured = false;
    this.#empty = 0;
    if (error instanceof GroupMissingError && !this.#missing) {
      this.#missing = true;
      log.warn("subscription.group_missing", facts);
      return;
    }
    this.work?.unavailable(error.message);
    if (this.#failures === 0) log.warn("subscription.read_failed", facts);
    this.#failures++;
  }
}
