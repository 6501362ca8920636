/**
 * Binds one handler to one stream category: reads, owns, orders, runs, retries, dead-letters (delivery 1 to
 * 7).
 *
 * It promises at-least-once delivery and, within one process, the order of each aggregate's stream. It does
 * not promise order between two processes that share the group.
 *
 * @module
 */
import { firstOf } from "../async/abort.ts";
import type { BaseBroker } from "../adapters/ports.ts";
import { ProteanError } from "../errors.ts";
import { largestLetter } from "../message/dead_letter.ts";
import { replayLane } from "../message/names.ts";
import { Breaker } from "./breaker.ts";
import type { Inbox } from "./inbox.ts";
import type { LaneKind } from "./lane.ts";
import { Maintenance } from "./maintenance.ts";
import { Ownership } from "./ownership.ts";
import { type PartitioningSettings, PartitionIntake } from "./partitions/intake.ts";
import { PartitionLeases } from "./partitions/leases.ts";
import { Reader } from "./reader.ts";
import { Recovery } from "./recovery.ts";
import { releaseAll } from "./release.ts";
import { readReplays } from "./replay.ts";
import type { SubscriptionScope } from "./scope.ts";
import { unheard, type WorkReporter } from "../status/work_health.ts";
import type { SubscriptionStatus } from "./status.ts";
import { StreamLane } from "./stream_lane.ts";
import { Subscription, type SubscriptionOptions, type Turning } from "./subscription.ts";
import { Worker } from "./worker.ts";

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

export interface StreamSubscriptionOptions extends SubscriptionOptions {
  /** The stream beside it whose messages can wait (PIPE-12). @default there is none */
  readonly backfill?: string | undefined;
  readonly broker: BaseBroker;
  /** See `SubscriptionScope.published`. @default nothing is waited for */
  readonly published?: (messageId: string) => Promise<void> | undefined;
  /** How a parted category is read. @default as `[server.partitioning]` by default */
  readonly partitioning?: PartitioningSettings;
  /** A handler of the domain parts the category. @default whether this one has `sequentialBy` */
  readonly parted?: boolean;
  /** Of the handler in this process, which may read several categories. @default this one's own */
  readonly leases?: PartitionLeases;
  /** Told how reading from the broker goes. @default nobody is told */
  readonly work?: WorkReporter;
  /** Whether it has a circuit breaker. @default true */
  readonly breaker?: boolean;
}

export class StreamSubscription extends Subscription<StreamSubscriptionOptions> {
  #parts: Parts | undefined;

  protected override get inbox(): Inbox | undefined {
    return this.#parts?.scope.inbox;
  }

  override status(): SubscriptionStatus {
    const postponed = this.inbox?.postponed;
    return {
      ...super.status(),
      postponed: postponed?.count ?? 0,
      postponedPartitions: postponed?.partitions ?? [],
      breaker: this.#parts?.breaker.state ?? "closed",
    };
  }

  protected override get readers(): readonly Turning[] {
    const { reader, behind } = this.#parts ?? {};
    return [reader, behind].filter((each) => each !== undefined);
  }

  override get stuck(): boolean {
    const { settings: { blockingTimeoutMs, tickIntervalSeconds }, clock } = this.options;
    const most = blockingTimeoutMs + tickIntervalSeconds * 1000 + 30_000;
    return this.running &&
      this.readers.some(({ paused, lastTurn }) => !paused && clock.monotonic() - lastTurn > most);
  }

  /** Dead letters on their way back to this group. */
  replaysWaiting(): Promise<number> {
    const { broker, category, runner } = this.options;
    return broker.length(replayLane(category, runner.group));
  }

  protected override begin(signal: AbortSignal): void {
    super.begin(signal);
    const { runner, category, settings, clock, published, work, observer } = this.options;
    const inbox = this.newInbox();
    const breaker = new Breaker({
      ...{ name: this.name, clock, settings },
      changed: (state, failures) => {
        observer?.breaker?.(state, failures);
        inbox.changed.notify();
      },
    });
    const scope = this.newScope(inbox, signal, {
      breaker: this.options.breaker === false ? undefined : breaker,
      published,
    });
    const main = this.#lane(scope, "main", category);
    const replays = this.#lane(scope, "replay", replayLane(category, runner.group));
    const backfill = this.options.backfill === undefined
      ? undefined
      : this.#lane(scope, "backfill", this.options.backfill);
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
    const { broker, category, runner, consumer, clock } = this.options;
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
    const { broker, category, consumer, settings, partitioning, parted, leases } = this.options;
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
    const { health, broker } = this.options;
    return health?.reporter("broker", broker.name) ?? unheard;
  }

  protected override run(signal: AbortSignal): Promise<void> {
    if (!this.#parts) throw new ProteanError(`${this.name} was run without being started.`);
    // A broker that does not answer may not keep the subscription from ending, once its handlers are given
    // up.
    return Promise.race([this.#loops(this.#parts, signal), this.abandoned]);
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
    const cut = this.inHandlers().length;
    if (cut > 0) this.figures.happened("cut", cut);
    parts.worker.close();
    await releaseAll(parts.scope, [...parts.lanes, ...parts.partitions?.lanes ?? []]);
    parts.scope.inbox.letGo();
    this.#parts = undefined;
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
