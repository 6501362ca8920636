/**
 * Binds one handler to one category of the event store: reads it in order, by one process at a time, keeps its
 * position there, records what fails and tries it again (wire 4.6, S60 to S62).
 *
 * It promises at-least-once delivery, the order of each aggregate's stream as long as nothing fails, and that
 * no two processes that share the database work at once.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { BaseBroker, BaseEventStore, BaseProvider, Lock } from "../adapters/ports.ts";
import { abortable, joined } from "../async/abort.ts";
import { reconnectDelay } from "../async/backoff.ts";
import { sleep } from "../async/clock.ts";
import { asError } from "../errors.ts";
import { positionStream } from "../message/names.ts";
import { unheard, type WorkReporter } from "../status/work_health.ts";
import { keptProgress, StoreSession } from "./event_store_session.ts";
import type { Inbox } from "./inbox.ts";
import { soleOwner } from "./sole_owner.ts";
import { Subscription, type SubscriptionOptions, type Turning } from "./subscription.ts";

const log = getLogger(["protean", "subscription"]);

/** Between the loss of its lock and the next try. */
const LOST_MS = 1_000;

export interface EventStoreSubscriptionOptions extends SubscriptionOptions {
  readonly store: BaseEventStore;
  /** What can keep others from reading at the same time, tried in turn. */
  readonly locks: readonly (BaseProvider | BaseBroker)[];
  /** Seconds between two recovery passes; undefined: what fails is given up at once. */
  readonly recoveryIntervalSeconds: number | undefined;
  /** Seconds for which a gap in the global positions is waited for, where all of the store is read. */
  readonly gapTimeoutSeconds: number;
}

/** It has no circuit breaker: what fails is passed over (wire 10.9). */
export class EventStoreSubscription extends Subscription<EventStoreSubscriptionOptions> {
  #inbox: Inbox | undefined;
  #session: StoreSession | undefined;

  protected override get inbox(): Inbox | undefined {
    return this.#inbox;
  }

  /** Whether it is the one that reads. */
  get isOwner(): boolean {
    return this.#session !== undefined;
  }

  protected override get readers(): readonly Turning[] {
    const { reader } = this.#session ?? {};
    return reader ? [reader] : [];
  }

  override get stuck(): boolean {
    const [reader] = this.readers;
    if (!reader || reader.paused || !this.running) return false;
    const { settings: { tickIntervalSeconds }, clock } = this.options;
    return clock.monotonic() - reader.lastTurn > tickIntervalSeconds * 1000 + 30_000;
  }

  /** One session after the other, each with a lock of its own. */
  protected override async run(stop: AbortSignal): Promise<void> {
    const { clock, random = Math.random } = this.options;
    const reporter = this.#reporter();
    let failures = 0;
    while (!stop.aborted) {
      const lock = await this.#lock(stop);
      if (!lock) return;
      try {
        await this.#own(lock, reporter, stop);
        failures = 0;
        // It was lost: whoever has it now is not disturbed at once.
        await sleep(clock, LOST_MS, stop);
      } catch (error) {
        if (error instanceof Defect) throw error.cause;
        if (stop.aborted) return;
        reporter.unavailable(asError(error).message);
        if (failures++ === 0) {
          log.warn("subscription.read_failed", { subscription: this.name, error: asError(error).message });
        }
      } finally {
        await lock[Symbol.asyncDispose]();
      }
      if (failures > 0) await sleep(clock, reconnectDelay(failures, random), stop);
    }
  }

  async #lock(stop: AbortSignal): Promise<Lock | undefined> {
    const { locks, runner, category, clock, random = Math.random, health } = this.options;
    const name = `subscription:${positionStream(runner.group, category)}`;
    const [first] = locks;
    const work = first && health ? health.reporter("provider", first.name) : unheard;
    return await soleOwner({ places: locks, name, clock, random, work }, stop);
  }

  /** Rejects where the store does not answer at the beginning, and with a `Defect`. */
  async #own(lock: Lock, reporter: WorkReporter, stop: AbortSignal): Promise<void> {
    const { store, category, recoveryIntervalSeconds, gapTimeoutSeconds } = this.options;
    using over = joined(stop, lock.signal);
    const scope = this.newScope(this.newInbox(), over.signal);
    const parts = { scope, store, category, lock, recoveryIntervalSeconds, gapTimeoutSeconds };
    let session: StoreSession | undefined;
    try {
      const kept = await abortable(keptProgress(store, scope, category), over.signal);
      session = new StoreSession({ ...parts, reporter: () => this.#reporter() }, kept);
      await abortable(session.begin(), over.signal);
      reporter.ok();
      this.#inbox = scope.inbox;
      this.#session = session;
      await Promise.race([this.#run(session, stop), this.abandoned]);
    } finally {
      const cut = stop.aborted ? this.inHandlers().length : 0;
      if (cut > 0) this.figures.happened("cut", cut);
      if (session) await session.end();
      else {
        scope.inbox.close();
        scope.pause.close();
      }
      this.#session = this.#inbox = undefined;
    }
  }

  async #run(session: StoreSession, stop: AbortSignal): Promise<void> {
    try {
      await session.run(stop);
    } catch (cause) {
      throw new Defect("The subscription has a defect.", { cause });
    }
  }

  /** A reporter for one kind of work with the store. */
  #reporter(): WorkReporter {
    const { health, store } = this.options;
    return health?.reporter("event_store", store.name) ?? unheard;
  }
}

/** What ended a session that should not have ended. */
class Defect extends Error {}
