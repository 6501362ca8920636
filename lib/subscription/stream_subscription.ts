/**
 * Binds one handler to one stream category: reads, owns, orders, runs, retries, dead-letters (delivery 1 to 7).
 *
 * It promises at-least-once delivery and, within one process, the order of each aggregate's stream. It does not promise order
 * between two processes that share the group.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { getLogger } from "@logtape/logtape";
import { firstOf } from "../async/abort.ts";
import type { BaseBroker, StreamGroup } from "../adapters/ports.ts";
import type { Random } from "../async/backoff.ts";
import { type Clock, sleep } from "../async/clock.ts";
import type { HandlerRunner } from "../domain/handler_port.ts";
import { asError, ProteanError } from "../errors.ts";
import { BackgroundService, type EngineService } from "../async/service.ts";
import { replayLane } from "../message/names.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import { type Delivery, newCounters, type SubscriptionCounters } from "./delivery.ts";
import { Inbox } from "./inbox.ts";
import { Reader } from "./reader.ts";
import { Recovery } from "./recovery.ts";
import { releaseAll } from "./release.ts";
import type { SubscriptionSettings } from "./settings/resolve.ts";
import type { WorkReporter } from "../status/work_health.ts";
import type { SubscriptionStatus } from "./status.ts";
import { Worker } from "./worker.ts";

const log = getLogger(["protean", "subscription"]);

/** Handlers that never wait must still let probes and sockets have their turn (PERF-6). */
const YIELD_AFTER_MS = 5;
/** Reading pauses when this many batches are unfinished, those in handlers not counted (delivery 4). */
const UNFINISHED_BATCHES = 4;
/** Consumers without anything pending are removed after this long idle (PIPE-9). */
const SWEEP_IDLE_MS = 3_600_000;
const SWEEP_EVERY_PASSES = 60;
/** One trim removes at most this many entries (delivery 8); a pass repeats it at most this often. */
const TRIM_STEP = 10_000;
const TRIM_STEPS = 50;

export interface StreamSubscriptionOptions {
  readonly runner: HandlerRunner;
  readonly category: string;
  readonly broker: BaseBroker;
  readonly settings: SubscriptionSettings;
  /** `<Handler>-<host>-<pid>-<6 hex>` (wire 2.3). */
  readonly consumer: string;
  readonly clock: Clock;
  readonly random?: Random;
  /** See `WorkerParts.published`. @default nothing is waited for */
  readonly published?: (messageId: string) => Promise<void> | undefined;
  /** Told how reading from the broker goes. @default nobody is told */
  readonly work?: WorkReporter;
  /** Told when `run` ends although nobody stopped it (S72). */
  readonly onFailure?: (error: Error) => void;
}

export class StreamSubscription extends BackgroundService implements EngineService {
  readonly stage = "intake";
  readonly name: string;
  readonly counters: SubscriptionCounters = newCounters();
  readonly #options: StreamSubscriptionOptions;
  #parts: Parts | undefined;
  #abandoned = Promise.withResolvers<void>();

  constructor(options: StreamSubscriptionOptions) {
    super();
    this.#options = options;
    this.name = `${options.runner.name} on ${options.category}`;
  }

  status(): SubscriptionStatus {
    const { runner, category } = this.#options;
    return {
      kind: "subscription",
      name: this.name,
      handler: runner.name,
      category,
      unfinished: this.outstanding,
      counters: { ...this.counters },
    };
  }

  /** Deliveries read or claimed whose outcome is open. Those acknowledged with a read that still waits are not among them. */
  get outstanding(): number {
    return this.#parts?.inbox.unfinished ?? 0;
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
      delivery.interrupt(
        new ProteanError(
          `The drain deadline has passed: ${this.name} was cut and its message will be redelivered.`,
        ),
      );
    }
  }

  /** A second after `cut`: what still runs may not commit any more, and is released for others. Answers how many that are. */
  abandon(): number {
    let given = 0;
    for (const delivery of this.#running()) {
      delivery.abandoned = true;
      given++;
    }
    this.#abandoned.resolve();
    return given;
  }

  protected override begin(signal: AbortSignal): void {
    const { runner, category, broker, consumer, settings, clock } = this.#options;
    const random = this.#options.random ?? Math.random;
    this.#abandoned = Promise.withResolvers<void>();
    const main = broker.group({ stream: category, group: runner.group, consumer });
    const lane = broker.group({
      stream: replayLane(category, runner.group),
      group: runner.group,
      consumer,
      lane: true,
    });
    const room = UNFINISHED_BATCHES * settings.messagesPerTick + Math.max(1, settings.concurrency);
    const inbox = new Inbox(clock, room);
    const settled = (delivery: Delivery) => inbox.settle(delivery);
    const acks = new Acknowledgements(main, clock, settled);
    const laneAcks = new Acknowledgements(lane, clock, settled);
    const acknowledge = (delivery: Delivery): Promise<void> | void => {
      const buffer = delivery.batch.group === lane ? laneAcks : acks;
      buffer.add(delivery);
      if (buffer === laneAcks || delivery.suspect) return buffer.flush();
    };
    const worker = new Worker({
      runner,
      inbox,
      settings,
      counters: this.counters,
      clock,
      random,
      stopped: signal,
      published: this.#options.published ?? (() => undefined),
      acknowledge,
    });
    const recovery = new Recovery({
      inbox,
      counters: this.counters,
      claimIdleMs: settings.claimIdleMs,
      limit: 2 * room,
      admit: (delivery) => {
        if (worker.admit(delivery)) inbox.enter(delivery);
      },
    });
    const reader = new Reader({
      group: main,
      inbox,
      acks,
      counters: this.counters,
      clock,
      random,
      settings,
      recoverOwn: () => recovery.own(main),
      ...(this.#options.work && { work: this.#options.work }),
    });
    this.#parts = { main, lane, inbox, acks, laneAcks, worker, recovery, reader };
  }

  protected override run(signal: AbortSignal): Promise<void> {
    // A broker that does not answer may not keep the subscription from ending, once its handlers are given up.
    return Promise.race([this.#loops(this.#need(), signal), this.#abandoned.promise]);
  }

  async #loops(parts: Parts, stop: AbortSignal): Promise<void> {
    const { settings } = this.#options;
    // What a dead process left comes before anything new, so that a restart keeps the order (PIPE-1).
    await this.#maintain(parts, 0);
    const defect = new AbortController();
    const signal = firstOf(stop, defect.signal);
    const workers = Array.from(
      { length: Math.max(1, settings.concurrency) },
      () => this.#work(parts, signal),
    );
    const loops = [
      ...workers,
      parts.reader.run(signal),
      this.#replay(parts, signal),
      this.#every(settings.claimIntervalMs, signal, (pass) => this.#maintain(parts, pass)),
      // Ownership is kept up until the last handler has finished, also during the drain.
      this.#keepOwnership(parts, Promise.allSettled(workers)),
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
    parts.inbox.close();
    this.counters.cut += [...this.#running()].length;
    await releaseAll(parts, this.#options.clock);
    this.#parts = undefined;
  }

  protected override failed(cause: unknown): void {
    log.fatal("subscription.failed", {
      subscription: this.name,
      error: asError(cause).stack ?? String(cause),
    });
    this.#options.onFailure?.(asError(cause));
  }

  async #work(parts: Parts, signal: AbortSignal): Promise<void> {
    const { inbox, worker } = parts;
    const { clock } = this.#options;
    let since = clock.monotonic();
    while (!signal.aborted) {
      const delivery = inbox.take();
      if (!delivery) {
        await inbox.changed.wait({ signal });
        since = clock.monotonic();
        continue;
      }
      await worker.deliver(delivery);
      // One that the drain has given up may end much later: nothing of it is wanted then.
      if (delivery.abandoned) return;
      if (clock.monotonic() - since > YIELD_AFTER_MS) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        since = clock.monotonic();
      }
    }
  }

  /** One maintenance pass: claims, retention, and now and then dead consumers. */
  async #maintain(parts: Parts, pass: number): Promise<void> {
    const { main, lane, recovery } = parts;
    const { settings } = this.#options;
    try {
      if (pass === 0) await main.ensure();
      await recovery.pass(main);
      await recovery.pass(lane);
      if (settings.retentionMaxlen) {
        for (
          let step = 0;
          step < TRIM_STEPS && await main.trim(settings.retentionMaxlen) >= TRIM_STEP;
          step++
        );
      }
      if (pass % SWEEP_EVERY_PASSES === 0) await main.sweep(SWEEP_IDLE_MS);
    } catch (error) {
      // The read loop reports an unreachable broker; this pass is simply taken up again at the next interval.
      log.debug("subscription.maintenance_deferred", {
        subscription: this.name,
        error: asError(error).message,
      });
    }
  }

  /** What an operator replays to this group (delivery 19): looked for at every claim interval, and then read to its end. */
  async #replay({ lane, laneAcks, inbox }: Parts, signal: AbortSignal): Promise<void> {
    const { settings, clock } = this.#options;
    while (!signal.aborted) {
      let found = 0;
      try {
        // Those that failed at first: no read takes them along here.
        await laneAcks.flush();
        const replayed = await lane.read({ count: settings.messagesPerTick });
        found = replayed.length;
        if (found > 0) inbox.addRead(lane, replayed);
      } catch (error) {
        log.debug("subscription.replay_deferred", { subscription: this.name, error: asError(error).message });
      }
      if (found === 0) await sleep(clock, settings.claimIntervalMs, signal);
      while (inbox.full && !signal.aborted) await inbox.changed.wait({ signal });
    }
  }

  async #keepOwnership(parts: Parts, drained: Promise<unknown>): Promise<void> {
    const over = new AbortController();
    void drained.then(() => over.abort());
    await this.#every(this.#options.settings.claimIdleMs / 3, over.signal, async () => {
      for (const [group, deliveries] of parts.inbox.owned()) {
        if (deliveries.length === 0) continue;
        try {
          const lost = await group.refresh(deliveries.map((delivery) => delivery.id));
          if (lost.length > 0) this.counters.lost += parts.inbox.lose(group, new Set(lost));
        } catch (error) {
          log.debug("subscription.refresh_deferred", {
            subscription: this.name,
            error: asError(error).message,
          });
        }
      }
    });
  }

  async #every(ms: number, signal: AbortSignal, work: (pass: number) => Promise<void>): Promise<void> {
    for (let pass = 1; !signal.aborted; pass++) {
      await sleep(this.#options.clock, ms, signal);
      if (!signal.aborted) await work(pass);
    }
  }

  *#running(): Iterable<Delivery> {
    for (const deliveries of this.#parts?.inbox.owned().values() ?? []) {
      for (const delivery of deliveries) if (delivery.stage === "running") yield delivery;
    }
  }

  #need(): Parts {
    if (!this.#parts) throw new ProteanError(`${this.name} was run without being started.`);
    return this.#parts;
  }
}

interface Parts {
  readonly main: StreamGroup;
  readonly lane: StreamGroup;
  readonly inbox: Inbox;
  readonly acks: Acknowledgements;
  readonly laneAcks: Acknowledgements;
  readonly worker: Worker;
  readonly recovery: Recovery;
  readonly reader: Reader;
}
