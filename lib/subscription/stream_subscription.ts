/**
 * Binds one handler to one stream category: reads, owns, orders, runs, retries, dead-letters (delivery 1 to
 * 7).
 *
 * It promises at-least-once delivery and, within one process, the order of each aggregate's stream. It does
 * not promise order between two processes that share the group.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { firstOf } from "../async/abort.ts";
import type { BaseBroker } from "../adapters/ports.ts";
import type { Random } from "../async/backoff.ts";
import type { Clock } from "../async/clock.ts";
import type { HandlerRunner } from "../domain/handler_port.ts";
import { DELIVERY_EVENTS, type DeliveryEvent, type DeliveryObserver } from "../domain/observer.ts";
import { asError, ProteanError } from "../errors.ts";
import { BackgroundService, type EngineService } from "../async/service.ts";
import { largestLetter } from "../message/dead_letter.ts";
import { MAX_MESSAGE_BYTES } from "../message/envelope.ts";
import { replayLane } from "../message/names.ts";
import type { Delivery } from "./delivery.ts";
import { Breaker } from "./breaker.ts";
import { Inbox } from "./inbox.ts";
import type { LaneKind } from "./lane.ts";
import { Maintenance } from "./maintenance.ts";
import { Ownership } from "./ownership.ts";
import { type PartitioningSettings, PartitionIntake } from "./partitions/intake.ts";
import { PartitionLeases } from "./partitions/leases.ts";
import { Pause } from "./pause.ts";
import { Reader } from "./reader.ts";
import { Reasons } from "./reasons.ts";
import { Recovery } from "./recovery.ts";
import { releaseAll } from "./release.ts";
import { readReplays } from "./replay.ts";
import type { SubscriptionScope } from "./scope.ts";
import type { SubscriptionSettings } from "./settings/resolve.ts";
import { Figures } from "../status/figures.ts";
import { unheard, type WorkHealth, type WorkReporter } from "../status/work_health.ts";
import type { SubscriptionStatus } from "./status.ts";
import { StreamLane } from "./stream_lane.ts";
import type { TextShare } from "./text_share.ts";
import { Worker } from "./worker.ts";

const log = getLogger(["protean", "subscription"]);

/** Reading pauses when this many batches are unfinished, those in handlers not counted (delivery 4). */
const UNFINISHED_BATCHES = 4;

/** `[server.partitioning]` where nothing is said. */
const PARTITIONING: PartitioningSettings = {
  leaseTtlMs: 15_000,
  heartbeatMs: 3_000,
  pollMs: 250,
  reapIdleMs: 3_600_000,
};
/** So long a read that waits for messages shows that there are none, and the backfill lane has its turn. */
const PRIMARY_EMPTY_MS = 50;
/** The backfill lane is looked at this often at least, while both have nothing (wire 2.10). */
const MOST_BETWEEN_MS = 1000;

export interface StreamSubscriptionOptions {
  readonly runner: HandlerRunner;
  readonly category: string;
  /** The stream beside it whose messages can wait (PIPE-12). @default there is none */
  readonly backfill?: string | undefined;
  readonly broker: BaseBroker;
  readonly settings: SubscriptionSettings;
  /** `<Handler>-<host>-<pid>-<6 hex>` (wire 2.3). */
  readonly consumer: string;
  readonly clock: Clock;
  /** `[server] max_received_bytes`. @default 8 MiB */
  readonly maxReceivedBytes?: number;
  /** What the subscriptions of a process hold together. @default this one's own */
  readonly share?: TextShare;
  readonly random?: Random;
  /** See `SubscriptionScope.published`. @default nothing is waited for */
  readonly published?: (messageId: string) => Promise<void> | undefined;
  /** How a parted category is read. @default as `[server.partitioning]` by default */
  readonly partitioning?: PartitioningSettings;
  /** A handler of the domain parts the category. @default whether this one has `sequentialBy` */
  readonly parted?: boolean;
  /** Of the handler in this process, which may read several categories. @default this one's own */
  readonly leases?: PartitionLeases;
  /** Told of what happens to deliveries. @default nobody is told */
  readonly observer?: DeliveryObserver | undefined;
  /** Told how reading from the broker goes. @default nobody is told */
  readonly work?: WorkReporter;
  /** Told how the work of its handlers goes, and asked what pings say. @default nobody is told or asked */
  readonly health?: WorkHealth;
  /** Whether it has a circuit breaker. @default true */
  readonly breaker?: boolean;
  /** Told when `run` ends although nobody stopped it (S72). */
  readonly onFailure?: (error: Error) => void;
}

export class StreamSubscription extends BackgroundService implements EngineService {
  readonly stage = "intake";
  readonly name: string;
  readonly #figures: Figures<DeliveryEvent>;
  readonly #options: StreamSubscriptionOptions;
  readonly #reasons = new Reasons();
  #parts: Parts | undefined;
  #abandoned = Promise.withResolvers<void>();

  constructor(options: StreamSubscriptionOptions) {
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
    const postponed = this.#parts?.scope.inbox.postponed;
    return {
      kind: "subscription",
      name: this.name,
      handler: runner.name,
      category,
      unfinished: this.outstanding,
      postponed: postponed?.count ?? 0,
      postponedPartitions: postponed?.partitions ?? [],
      counters: { ...this.counters },
      breaker: this.#parts?.breaker.state ?? "closed",
      declined: this.#reasons.counts,
    };
  }

  /**
   * Deliveries read or claimed whose outcome is open. Those acknowledged with a read that still waits are not
   * among them.
   */
  get outstanding(): number {
    return this.#parts?.scope.inbox.unfinished ?? 0;
  }

  /** True when the read loop has not completed a turn within its bound: only a restart helps (HLT-1). */
  get stuck(): boolean {
    const reader = this.#parts?.reader;
    if (!reader || reader.paused || !this.running) return false;
    const { blockingTimeoutMs, tickIntervalSeconds } = this.#options.settings;
    return this.#options.clock.monotonic() - reader.lastTurn >
      blockingTimeoutMs + tickIntervalSeconds * 1000 + 30_000;
  }

  /** Dead letters on their way back to this group. */
  replaysWaiting(): Promise<number> {
    const { broker, category, runner } = this.#options;
    return broker.length(replayLane(category, runner.group));
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

  /**
   * A second after `cut`: what still runs may not commit any more, and is released for others. Returns how
   * many that are.
   */
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

  protected override begin(signal: AbortSignal): void {
    const { runner, category, consumer, settings, clock, random, published, work, health } = this.#options;
    this.#abandoned = Promise.withResolvers<void>();
    const room = UNFINISHED_BATCHES * settings.messagesPerTick + Math.max(1, settings.concurrency);
    const inbox = new Inbox(clock, room, this.#options.share);
    const { observer } = this.#options;
    const breaker = new Breaker({
      ...{ name: this.name, clock, settings },
      changed: (state, failures) => {
        observer?.breaker?.(state, failures);
        inbox.changed.notify();
      },
    });
    const scope: SubscriptionScope = {
      name: this.name,
      runner,
      consumer,
      settings,
      inbox,
      pause: new Pause({
        ...{ name: this.name, inbox, clock, random: random ?? Math.random },
        ...{ settings, health, breaker: this.#options.breaker === false ? undefined : breaker },
      }),
      reasons: {
        count: (reason) => {
          const kept = this.#reasons.count(reason);
          observer?.declined?.(kept);
        },
      },
      maxReceivedBytes: this.#maxReceivedBytes,
      figures: this.#figures,
      clock,
      random: random ?? Math.random,
      stopped: signal,
      published: published ?? (() => undefined),
    };
    const main = this.#lane(scope, "main", category);
    const replays = this.#lane(scope, "replay", replayLane(category, runner.group));
    const backfill = this.#options.backfill === undefined
      ? undefined
      : this.#lane(scope, "backfill", this.#options.backfill);
    const lanes = [main, ...backfill ? [backfill] : [], replays];
    const ownership = new Ownership(scope, this.#reporter());
    const worker = new Worker(scope, ownership);
    const recovery = new Recovery(scope);
    this.#parts = {
      scope,
      breaker,
      main,
      replays,
      lanes,
      worker,
      ownership,
      recovery,
      reader: new Reader(scope, main, recovery, work),
      behind: backfill && new Reader(scope, backfill, recovery, this.#reporter(), {
        waits: () => !main.isEmpty(PRIMARY_EMPTY_MS) || inbox.ready > 0,
        everyMs: Math.min(MOST_BETWEEN_MS, Math.max(1, settings.blockingTimeoutMs)),
      }),
      maintenance: new Maintenance(scope, lanes, recovery, () => this.#reporter()),
      partitions: this.#intake(scope),
      ended: new AbortController(),
    };
  }

  #lane(scope: SubscriptionScope, kind: LaneKind, stream: string): StreamLane {
    const { broker, category, runner, consumer, clock } = this.#options;
    const lane = kind === "replay";
    const maxEntryBytes = lane ? largestLetter(scope.maxReceivedBytes) : scope.maxReceivedBytes;
    const group = broker.group({ stream, group: runner.group, consumer, lane, maxEntryBytes });
    return new StreamLane(
      kind,
      group,
      lane ? category : stream,
      clock,
      (delivery) => scope.inbox.settle(delivery),
      {
        entries: broker.entries?.bind(broker),
        remote: !broker.capabilities.embedded,
        maxEntryBytes,
        reporter: () => this.#reporter(),
      },
    );
  }

  #intake(scope: SubscriptionScope): PartitionIntake | undefined {
    const { broker, category, consumer, settings, partitioning, parted, leases } = this.#options;
    return broker.partitions && new PartitionIntake({
      ...{ scope, category, partitions: broker.partitions, maxEntryBytes: scope.maxReceivedBytes },
      settings: partitioning ?? PARTITIONING,
      leases: leases ?? new PartitionLeases(consumer),
      expected: parted ?? settings.sequentialBy !== undefined,
      entries: broker.entries?.bind(broker),
      reporter: () => this.#reporter(),
    });
  }

  /** A reporter for one kind of work with the broker. */
  #reporter(): WorkReporter {
    const { health, broker } = this.#options;
    return health?.reporter("broker", broker.name) ?? unheard;
  }

  get #maxReceivedBytes(): number {
    return this.#options.maxReceivedBytes ?? MAX_MESSAGE_BYTES;
  }

  protected override run(signal: AbortSignal): Promise<void> {
    if (!this.#parts) throw new ProteanError(`${this.name} was run without being started.`);
    // A broker that does not answer may not keep the subscription from ending, once its handlers are given
    // up.
    return Promise.race([this.#loops(this.#parts, signal), this.#abandoned.promise]);
  }

  async #loops(parts: Parts, stop: AbortSignal): Promise<void> {
    const { scope, worker, ownership, reader, behind, replays, recovery, maintenance, partitions, ended } =
      parts;
    // What a dead process left comes before anything new, so that a restart keeps the order (PIPE-1).
    await maintenance.pass(0);
    const defect = new AbortController();
    const signal = firstOf(stop, defect.signal);
    const crew = worker.crew(scope.settings.concurrency, signal);
    crew.begin();
    // Ownership is kept up until the last handler has finished, also during the drain, or is given up.
    void crew.home.then(() => ended.abort());
    const loops = [
      crew.sound,
      crew.home,
      maintenance.untilClear(signal).then(() => Promise.all([reader.run(signal), behind?.run(signal)])),
      ...partitions ? [partitions.run(signal, ended.signal)] : [],
      readReplays(scope, replays, signal),
      maintenance.run(signal),
      recovery.catchUp(signal),
      ownership.run(ended.signal),
    ];
    try {
      await Promise.all(loops);
    } catch (cause) {
      // Told at once, ended like the others: handlers that run have the drain's time.
      if (!stop.aborted) this.failed(cause);
      defect.abort();
      await Promise.allSettled(loops);
    }
  }

  protected override async end(): Promise<void> {
    const parts = this.#parts;
    if (!parts) return;
    parts.ended.abort();
    parts.scope.inbox.close();
    parts.scope.pause.close();
    parts.breaker.close();
    const cut = this.#running().length;
    if (cut > 0) this.#figures.happened("cut", cut);
    parts.worker.close();
    await releaseAll(parts.scope, [...parts.lanes, ...parts.partitions?.lanes ?? []]);
    parts.scope.inbox.letGo();
    this.#parts = undefined;
  }

  protected override failed(cause: unknown): void {
    log.fatal("subscription.failed", {
      subscription: this.name,
      error: asError(cause).stack ?? String(cause),
    });
    this.#options.onFailure?.(asError(cause));
  }

  #running(): Delivery[] {
    return this.#parts?.scope.inbox.running() ?? [];
  }
}

interface Parts {
  readonly scope: SubscriptionScope;
  readonly breaker: Breaker;
  readonly main: StreamLane;
  readonly replays: StreamLane;
  readonly lanes: readonly StreamLane[];
  readonly worker: Worker;
  readonly ownership: Ownership;
  readonly recovery: Recovery;
  readonly reader: Reader;
  /** Of the backfill lane, where there is one. */
  readonly behind: Reader | undefined;
  readonly maintenance: Maintenance;
  /** Undefined where the broker has no partitions. */
  readonly partitions: PartitionIntake | undefined;
  /** Aborts when nothing is owned any more. */
  readonly ended: AbortController;
}
