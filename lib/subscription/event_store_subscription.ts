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
import { type Random, reconnectDelay } from "../async/backoff.ts";
import { type Clock, sleep } from "../async/clock.ts";
import { BackgroundService, type EngineService } from "../async/service.ts";
import type { HandlerRunner } from "../domain/handler_port.ts";
import { DELIVERY_EVENTS, type DeliveryEvent, type DeliveryObserver } from "../domain/observer.ts";
import { asError, ProteanError } from "../errors.ts";
import { MAX_MESSAGE_BYTES } from "../message/envelope.ts";
import { positionStream } from "../message/names.ts";
import { Figures } from "../status/figures.ts";
import { unheard, type WorkHealth, type WorkReporter } from "../status/work_health.ts";
import type { Delivery } from "./delivery.ts";
import { keptProgress, StoreSession } from "./event_store_session.ts";
import { Inbox } from "./inbox.ts";
import { Pause } from "./pause.ts";
import { Reasons } from "./reasons.ts";
import type { SubscriptionScope } from "./scope.ts";
import type { SubscriptionSettings } from "./settings/resolve.ts";
import { soleOwner } from "./sole_owner.ts";
import type { SubscriptionStatus } from "./status.ts";
import type { TextShare } from "./text_share.ts";

const log = getLogger(["protean", "subscription"]);

/** Reading pauses when this many batches are unfinished, those in handlers not counted. */
const UNFINISHED_BATCHES = 4;

/** Between the loss of its lock and the next try. */
const LOST_MS = 1_000;

export interface EventStoreSubscriptionOptions {
  readonly runner: HandlerRunner;
  readonly category: string;
  readonly store: BaseEventStore;
  /** What can keep others from reading at the same time, tried in turn. */
  readonly locks: readonly (BaseProvider | BaseBroker)[];
  readonly settings: SubscriptionSettings;
  /** `<Handler>-<host>-<pid>-<6 hex>` (wire 2.3). */
  readonly consumer: string;
  readonly clock: Clock;
  /** Seconds between two recovery passes; undefined: what fails is given up at once. */
  readonly recoveryIntervalSeconds: number | undefined;
  /** Seconds for which a gap in the global positions is waited for, where all of the store is read. */
  readonly gapTimeoutSeconds: number;
  /** `[server] max_received_bytes`. @default 8 MiB */
  readonly maxReceivedBytes?: number;
  /** What the subscriptions of a process hold together. @default this one's own */
  readonly share?: TextShare;
  readonly random?: Random;
  /** Told of what happens to deliveries. @default nobody is told */
  readonly observer?: DeliveryObserver | undefined;
  /** Told how its work and that of its handlers goes, and asked what pings say. @default nobody is */
  readonly health?: WorkHealth;
  /** Told when `run` ends although nobody stopped it (S72). */
  readonly onFailure?: (error: Error) => void;
}

export class EventStoreSubscription extends BackgroundService implements EngineService {
  readonly stage = "intake";
  readonly name: string;
  readonly #figures: Figures<DeliveryEvent>;
  readonly #options: EventStoreSubscriptionOptions;
  readonly #reasons = new Reasons();
  #inbox: Inbox | undefined;
  #session: StoreSession | undefined;
  #abandoned = Promise.withResolvers<void>();

  constructor(options: EventStoreSubscriptionOptions) {
    super();
    this.#options = options;
    this.name = `${options.runner.name} on ${options.category}`;
    this.#figures = new Figures(DELIVERY_EVENTS, options.observer);
  }

  /** What it has done since it was made. */
  get counters(): Readonly<Record<DeliveryEvent, number>> {
    return this.#figures.counts;
  }

  status(): SubscriptionStatus {
    const { runner, category } = this.#options;
    return {
      kind: "subscription",
      name: this.name,
      handler: runner.name,
      category,
      unfinished: this.outstanding,
      postponed: 0,
      postponedPartitions: [],
      counters: { ...this.counters },
      // There is none: what fails is passed over (wire 10.9).
      breaker: "closed",
      declined: this.#reasons.counts,
    };
  }

  /** Messages read whose outcome is open. */
  get outstanding(): number {
    return this.#inbox?.unfinished ?? 0;
  }

  /** Whether it is the one that reads. */
  get isOwner(): boolean {
    return this.#session !== undefined;
  }

  /** True when the read loop has not completed a turn within its bound: only a restart helps (HLT-1). */
  get stuck(): boolean {
    const reader = this.#session?.reader;
    if (!reader || reader.paused || !this.running) return false;
    const { settings: { tickIntervalSeconds }, clock } = this.#options;
    return clock.monotonic() - reader.lastTurn > tickIntervalSeconds * 1000 + 30_000;
  }

  /** The drain deadline has passed: running handlers' signals abort. */
  cut(): void {
    for (const delivery of this.#running()) {
      delivery.end(
        "cut",
        new ProteanError(
          `The drain deadline has passed: ${this.name} was cut and its message will be redelivered.`,
        ),
      );
    }
  }

  /** A second after `cut`: what still runs may not commit any more. Returns how many that are. */
  abandon(): number {
    const given = this.#running();
    for (const delivery of given) {
      delivery.end(
        "abandoned",
        new ProteanError(`The drain has given up ${this.name}: its message will be redelivered.`),
      );
    }
    this.#abandoned.resolve();
    return given.length;
  }

  protected override begin(): void {
    this.#abandoned = Promise.withResolvers<void>();
  }

  /** One session after the other, each with a lock of its own. */
  protected override async run(stop: AbortSignal): Promise<void> {
    const { clock, random = Math.random } = this.#options;
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

  protected override failed(cause: unknown): void {
    log.fatal("subscription.failed", {
      subscription: this.name,
      error: asError(cause).stack ?? String(cause),
    });
    this.#options.onFailure?.(asError(cause));
  }

  async #lock(stop: AbortSignal): Promise<Lock | undefined> {
    const { locks, runner, category, clock, random = Math.random, health } = this.#options;
    const name = `subscription:${positionStream(runner.group, category)}`;
    const [first] = locks;
    const work = first && health ? health.reporter("provider", first.name) : unheard;
    return await soleOwner({ places: locks, name, clock, random, work }, stop);
  }

  /** Rejects where the store does not answer at the beginning, and with a `Defect`. */
  async #own(lock: Lock, reporter: WorkReporter, stop: AbortSignal): Promise<void> {
    const { store, category, recoveryIntervalSeconds, gapTimeoutSeconds } = this.#options;
    using over = joined(stop, lock.signal);
    const scope = this.#scope(over.signal);
    const parts = { scope, store, category, lock, recoveryIntervalSeconds, gapTimeoutSeconds };
    let session: StoreSession | undefined;
    try {
      const kept = await abortable(keptProgress(store, scope, category), over.signal);
      session = new StoreSession({ ...parts, reporter: () => this.#reporter() }, kept);
      await abortable(session.begin(), over.signal);
      reporter.ok();
      this.#inbox = scope.inbox;
      this.#session = session;
      await Promise.race([this.#run(session, stop), this.#abandoned.promise]);
    } finally {
      const cut = stop.aborted ? this.#running().length : 0;
      if (cut > 0) this.#figures.happened("cut", cut);
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

  #scope(stopped: AbortSignal): SubscriptionScope {
    const { runner, consumer, settings, clock, random = Math.random, health, share } = this.#options;
    const room = UNFINISHED_BATCHES * settings.messagesPerTick + Math.max(1, settings.concurrency);
    const inbox = new Inbox(clock, room, share);
    return {
      ...{ name: this.name, runner, consumer, settings, inbox, clock, random, stopped },
      pause: new Pause({ name: this.name, inbox, clock, random, settings, health }),
      maxReceivedBytes: this.#options.maxReceivedBytes ?? MAX_MESSAGE_BYTES,
      figures: this.#figures,
      reasons: {
        count: (reason) => {
          const kept = this.#reasons.count(reason);
          this.#options.observer?.declined?.(kept);
        },
      },
      // What is read from the store is committed.
      published: () => undefined,
    };
  }

  /** A reporter for one kind of work with the store. */
  #reporter(): WorkReporter {
    const { health, store } = this.#options;
    return health?.reporter("event_store", store.name) ?? unheard;
  }

  #running(): Delivery[] {
    return this.#inbox?.running() ?? [];
  }
}

/** What ended a session that should not have ended. */
class Defect extends Error {}
