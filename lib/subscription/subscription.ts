/**
 * What every subscription is, whatever it reads: its name and figures, the room for what it has read, and how
 * the drain ends it.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { Random } from "../async/backoff.ts";
import type { Clock } from "../async/clock.ts";
import { Crowd } from "../async/crowd.ts";
import { BackgroundService, type EngineService } from "../async/service.ts";
import type { HandlerRunner } from "../domain/handler_port.ts";
import { DELIVERY_EVENTS, type DeliveryEvent, type DeliveryObserver } from "../domain/observer.ts";
import { asError, ProteanError } from "../errors.ts";
import { MAX_MESSAGE_BYTES } from "../message/envelope.ts";
import { Figures } from "../status/figures.ts";
import type { WorkHealth } from "../status/work_health.ts";
import type { Breaker } from "./breaker.ts";
import type { Delivery, Ending } from "./delivery.ts";
import { Inbox } from "./inbox.ts";
import { Pause } from "./pause.ts";
import { Reasons } from "./reasons.ts";
import type { SubscriptionScope } from "./scope.ts";
import type { SubscriptionSettings } from "./settings/resolve.ts";
import type { SubscriptionStatus } from "./status.ts";
import type { TextShare } from "./text_share.ts";

const log = getLogger(["protean", "subscription"]);

/** Reading pauses when this many batches are unfinished, those in handlers not counted (delivery 4). */
const UNFINISHED_BATCHES = 4;

export interface SubscriptionOptions {
  readonly runner: HandlerRunner;
  readonly category: string;
  readonly settings: SubscriptionSettings;
  /** `<Handler>-<host>-<pid>-<6 hex>` (wire 2.3). */
  readonly consumer: string;
  readonly clock: Clock;
  /** `[server] max_received_bytes`. @default 8 MiB */
  readonly maxReceivedBytes?: number;
  /** What the subscriptions of a process hold together. @default this one's own */
  readonly share?: TextShare;
  /** Of the process's handlers that wait for a database. @default this one's own, in which nobody waits */
  readonly crowd?: Crowd;
  readonly random?: Random;
  /** Told of what happens to deliveries. @default nobody is told */
  readonly observer?: DeliveryObserver | undefined;
  /** Told how its work and that of its handlers goes, and asked what pings say. @default nobody is */
  readonly health?: WorkHealth;
  /** Told when `run` ends although nobody stopped it (S72). */
  readonly onFailure?: (error: Error) => void;
}

/** A read loop: when its last turn began, and whether it waits for better times. */
export interface Turning {
  readonly paused: boolean;
  /** Monotonic, in milliseconds. */
  readonly lastTurn: number;
}

/** A subclass reads; `O` is what it is made from. */
export abstract class Subscription<O extends SubscriptionOptions = SubscriptionOptions>
  extends BackgroundService
  implements EngineService {
  readonly stage = "intake";
  readonly name: string;
  protected readonly options: O;
  protected readonly figures: Figures<DeliveryEvent>;
  readonly #reasons = new Reasons();
  #pause: Pause | undefined;
  #abandoned = Promise.withResolvers<void>();

  constructor(options: O) {
    super();
    this.options = options;
    this.name = `${options.runner.name} on ${options.category}`;
    this.figures = new Figures(DELIVERY_EVENTS, options.observer);
  }

  /** Holds what was read, while there is something that reads. */
  protected abstract get inbox(): Inbox | undefined;

  /** True when a read loop has not completed a turn within its bound: only a restart helps (HLT-1). */
  abstract get stuck(): boolean;

  /** What turns round and reads, while it does. */
  protected abstract get readers(): readonly Turning[];

  /** What it has done since it was made. */
  get counters(): Readonly<Record<DeliveryEvent, number>> {
    return this.figures.counts;
  }

  status(): SubscriptionStatus {
    const { runner, category, clock } = this.options;
    const { running: inFlight, waiting: retrying } = this.inbox?.stages ?? { running: 0, waiting: 0 };
    const turns = this.readers.filter(({ paused }) => !paused).map(({ lastTurn }) => lastTurn);
    return {
      kind: "subscription",
      name: this.name,
      handler: runner.name,
      category,
      unfinished: this.outstanding,
      postponed: 0,
      postponedPartitions: [],
      ...{ inFlight, retrying, paused: this.#pause?.on ?? false },
      lastPollAgeMs: turns.length > 0 ? clock.monotonic() - Math.min(...turns) : null,
      counters: { ...this.counters },
      breaker: "closed",
      declined: this.#reasons.counts,
    };
  }

  /**
   * Deliveries read or claimed whose outcome is open. Those acknowledged with a read that still waits are not
   * among them.
   */
  get outstanding(): number {
    return this.inbox?.unfinished ?? 0;
  }

  /** The drain deadline has passed: running handlers' signals abort. */
  cut(): void {
    this.#endAll(
      "cut",
      `The drain deadline has passed: ${this.name} was cut and its message will be redelivered.`,
    );
  }

  /**
   * A second after `cut`: what still runs may not commit any more, and is left to others. Returns how many
   * that are.
   */
  abandon(): number {
    const given = this.#endAll(
      "abandoned",
      `The drain has given up ${this.name}: its message will be redelivered.`,
    );
    this.#abandoned.resolve();
    return given;
  }

  #endAll(ending: Ending, reason: string): number {
    const running = this.inHandlers();
    for (const delivery of running) delivery.end(ending, new ProteanError(reason));
    return running.length;
  }

  /** Resolves when the drain has given up what still runs. */
  protected get abandoned(): Promise<void> {
    return this.#abandoned.promise;
  }

  protected override begin(_signal: AbortSignal): void {
    this.#abandoned = Promise.withResolvers<void>();
  }

  /** An inbox for what this subscription may hold at once. */
  protected newInbox(): Inbox {
    const { settings: { messagesPerTick, concurrency }, runner: { mostTogether = 1 }, clock, share } =
      this.options;
    // While one batch is handled the next one is read.
    const room = Math.max(UNFINISHED_BATCHES * messagesPerTick, mostTogether > 1 ? 2 * mostTogether : 0);
    return new Inbox(clock, room + Math.max(1, concurrency), share);
  }

  /** What its parts share, around `inbox`, until `stopped` aborts. */
  protected newScope(
    inbox: Inbox,
    stopped: AbortSignal,
    { breaker, published = () => undefined }: {
      readonly breaker?: Breaker | undefined;
      readonly published?: SubscriptionScope["published"] | undefined;
    } = {},
  ): SubscriptionScope {
    const { runner, consumer, settings, clock, random = Math.random, health, observer } = this.options;
    return {
      ...{ name: this.name, runner, consumer, settings, inbox, clock, random, stopped, published },
      pause: this.#pause = new Pause({ name: this.name, inbox, clock, random, settings, health, breaker }),
      crowd: this.options.crowd ?? new Crowd(Infinity),
      maxReceivedBytes: this.options.maxReceivedBytes ?? MAX_MESSAGE_BYTES,
      ...{ figures: this.figures, observer },
      reasons: {
        count: (reason) => {
          const kept = this.#reasons.count(reason);
          observer?.declined?.(kept);
        },
      },
    };
  }

  /** Deliveries whose handlers run. */
  protected inHandlers(): readonly Delivery[] {
    return this.inbox?.running() ?? [];
  }

  protected override failed(cause: unknown): void {
    log.fatal("subscription.failed", {
      subscription: this.name,
      error: asError(cause).stack ?? String(cause),
    });
    this.options.onFailure?.(asError(cause));
  }
}
