/**
 * One reader of the event store, from the moment at which it has its lock to the moment at which it gives it
 * up or has lost it (wire 4.6).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { BaseEventStore, Lock } from "../adapters/ports.ts";
import { firstOf, onAbort } from "../async/abort.ts";
import { sleep } from "../async/clock.ts";
import { ProteanError } from "../errors.ts";
import { checkpointStream, failedStream, positionStream } from "../message/names.ts";
import {
  type KeptFailures,
  keptFailures,
  type KeptPosition,
  keptPosition,
  RECORD_TYPES,
} from "../status/store_progress.ts";
import type { WorkReporter } from "../status/work_health.ts";
import type { Delivery } from "./delivery.ts";
import { StoreReader } from "./event_store_reader.ts";
import { CategorySource, FailedSource, type StoreHold, StoreLane } from "./event_store_source.ts";
import { FailedPositions } from "./failed_positions.ts";
import { GapWatch } from "./gap_watch.ts";
import type { Lane } from "./lane.ts";
import { Ownership } from "./ownership.ts";
import { ReadPosition } from "./read_position.ts";
import { ReadProgress } from "./read_progress.ts";
import { RecordStream } from "./record_stream.ts";
import { RecoveryPasses } from "./recovery_passes.ts";
import { releaseAll } from "./release.ts";
import type { SubscriptionScope } from "./scope.ts";
import type { Turning } from "./subscription.ts";
import { Worker } from "./worker.ts";

const log = getLogger(["protean", "subscription"]);

/** So many records of failures are told by one checkpoint, at the end of a recovery pass. */
const CHECKPOINT_RECORDS = 500;
/** What handlers get that have lost their messages: they may not commit in any case. */
const LOST_GRACE_MS = 1_000;

export interface StoreSessionParts {
  readonly scope: SubscriptionScope;
  readonly store: BaseEventStore;
  readonly category: string;
  readonly lock: Lock;
  /** Seconds between two recovery passes; undefined: failures are given up at once. */
  readonly recoveryIntervalSeconds: number | undefined;
  readonly gapTimeoutSeconds: number;
  /** A reporter for each kind of work with the store. */
  readonly reporter: () => WorkReporter;
}

/** What the store has kept of whoever read before. */
export interface KeptProgress {
  readonly position: KeptPosition;
  readonly failures: KeptFailures;
}

/** Everything up to here is in the store: a position beyond it is of another one, of before a restore. */
export async function keptProgress(
  store: BaseEventStore,
  scope: SubscriptionScope,
  category: string,
): Promise<KeptProgress> {
  const name = { group: scope.runner.group, category };
  const position = await keptPosition(store, name);
  const head = (await store.last("$all"))?.globalPosition ?? -1;
  const failures = await keptFailures(store, name, Math.min(position.position, head));
  if (position.version < 0) {
    log.info("subscription.reads_from_beginning", {
      subscription: scope.name,
      position_stream: positionStream(
        name.group,
        category,
      ),
    });
  }
  if (position.position <= head) return { position, failures };
  log.error("subscription.position_beyond_end", {
    ...{ subscription: scope.name, position: position.position, end: head },
    position_stream: positionStream(name.group, category),
  });
  return { position: { ...position, position: head }, failures };
}

export class StoreSession {
  readonly #parts: StoreSessionParts;
  readonly #main: Lane<Delivery>;
  readonly #retries: Lane<Delivery>;
  readonly #worker: Worker;
  readonly #ownership: Ownership;
  readonly #reader: StoreReader;
  readonly #passes: RecoveryPasses;
  readonly #position: ReadPosition;
  readonly #checkpoint: (least: number) => Promise<void>;
  readonly #lost = new AbortController();
  readonly #ended = new AbortController();

  constructor(parts: StoreSessionParts, kept: KeptProgress) {
    const { scope, store, category, lock, recoveryIntervalSeconds, gapTimeoutSeconds, reporter } = parts;
    const { runner: { group }, clock, settings, inbox } = scope;
    this.#parts = parts;
    const isOurs = () => !this.#lost.signal.aborted && !lock.signal.aborted;
    const records = (stream: string, version: number) =>
      new RecordStream({
        ...{ store, clock, stream, category, version },
        mayWrite: () => {
          if (!isOurs()) throw notOurs(scope.name);
        },
        taken: () => this.#lose(`somebody else has written to '${stream}'`),
      });
    const positions = records(positionStream(group, category), kept.position.version);
    const failed = records(failedStream(group, category), kept.failures.version);
    const checkpoints = records(checkpointStream(group, category), kept.failures.checkpointVersion);
    const progress = new ReadProgress(kept.position.position);
    this.#position = new ReadPosition(positions, progress, settings.positionUpdateInterval);
    const failures = new FailedPositions(failed, clock, kept.failures, kept.position.position);
    this.#checkpoint = async (least) => {
      const data = failures.checkpoint(least, this.#position.kept);
      if (data !== undefined) await checkpoints.append(RECORD_TYPES.checkpoint, data);
    };
    const hold: StoreHold = {
      ...{ category, group, failures, position: this.#position, isOurs },
      isGivenUpAtOnce: recoveryIntervalSeconds === undefined,
      assure: async () => {
        const last = (await store.last(positionStream(group, category)))?.position ?? -1;
        if (last > positions.version) this.#lose("somebody else reads for this handler");
      },
    };
    const main = new CategorySource(hold, progress);
    const retries = new FailedSource(hold);
    const lane = (kind: "main" | "failed", source: CategorySource | FailedSource) =>
      new StoreLane(
        kind,
        source,
        clock,
        (delivery) => inbox.settle(delivery),
        reporter(),
        scope.maxReceivedBytes,
      );
    this.#main = lane("main", main);
    this.#retries = lane("failed", retries);
    this.#ownership = new Ownership(scope);
    this.#worker = new Worker(scope, this.#ownership);
    const suspects = settings.positionUpdateInterval + (settings.concurrency > 1 ? inbox.room : 1);
    this.#reader = new StoreReader({
      ...{ scope, store, category, lane: this.#main, source: main, progress, failures },
      position: this.#position,
      gaps: category === "$all" ? new GapWatch(scope.name, gapTimeoutSeconds) : undefined,
      suspects: kept.position.isRepeated ? suspects : 0,
      work: reporter(),
    });
    this.#passes = new RecoveryPasses({
      ...{ scope, store, category, failures, lane: this.#retries, source: retries },
      isAtWork: (position) => main.has(position) || retries.has(position),
      intervalSeconds: recoveryIntervalSeconds,
      begins: () => failed.check(),
      ended: () => this.#checkpoint(CHECKPOINT_RECORDS),
      work: reporter(),
    });
  }

  /** See `EventStoreSubscription.stuck`. */
  get reader(): Turning {
    return this.#reader;
  }

  /**
   * Works until `stop` aborts or somebody else has taken over, and until the handlers that run then have ended
   * or have lost their messages. Rejects with a defect alone.
   */
  async run(stop: AbortSignal): Promise<void> {
    const { scope, lock } = this.#parts;
    using _ = onAbort(lock.signal, () => this.#lose("its lock is lost"));
    const defect = new AbortController();
    const signal = firstOf(stop, this.#lost.signal, defect.signal);
    const crew = this.#worker.crew(scope.settings.concurrency, signal);
    crew.begin();
    void crew.home.then(() => this.#ended.abort());
    const loops = [
      crew.sound,
      crew.home,
      this.#reader.run(signal),
      this.#passes.run(signal),
      this.#ownership.run(this.#ended.signal),
    ];
    try {
      await Promise.race([Promise.all(loops), this.#given()]);
    } catch (cause) {
      defect.abort();
      await Promise.allSettled(loops);
      throw cause;
    }
  }

  /** Keeps what is earned, and ends. Never rejects. */
  async end(): Promise<void> {
    const { scope } = this.#parts;
    this.#ended.abort();
    scope.inbox.close();
    scope.pause.close();
    this.#worker.close();
    const lanes = [this.#retries, this.#main];
    if (this.#lost.signal.aborted) { for (const { acks } of lanes) await acks.close(); }
    else {
      await releaseAll(scope, lanes);
      const { unkept } = this.#position;
      if (unkept > 0) scope.figures.happened("unacknowledged", unkept);
    }
    scope.inbox.letGo();
  }

  /** Keeps what is open, so that the next one need not read all that has failed. */
  async begin(): Promise<void> {
    await this.#checkpoint(1);
  }

  /** Whoever does not hear that its message is lost is not waited for: it cannot commit. */
  async #given(): Promise<void> {
    const { clock } = this.#parts.scope;
    const { signal } = this.#lost;
    if (!signal.aborted) {
      await new Promise<void>((resolve) => {
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
    await sleep(clock, LOST_GRACE_MS, this.#ended.signal);
  }

  #lose(reason: string): void {
    if (this.#lost.signal.aborted || this.#ended.signal.aborted) return;
    const { scope } = this.#parts;
    this.#lost.abort();
    let lost = 0;
    for (const lane of [this.#main, this.#retries]) {
      const ids = new Set((scope.inbox.owned().get(lane) ?? []).map(({ id }) => id));
      lost += scope.inbox.lose(lane, ids);
    }
    if (lost > 0) scope.figures.happened("lost", lost);
    log.warn("subscription.ownership_lost", { subscription: scope.name, reason, messages: lost });
  }
}

function notOurs(name: string): ProteanError {
  return new ProteanError(`${name} is another process's now: nothing more is written for it here.`, {
    code: "LOCK_LOST",
  });
}
