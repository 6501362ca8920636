/**
 * What an engine tells of its health to whoever answers the probes for it in another thread or process, and
 * what that one makes of it. An engine that tells nothing any more is blocked: so a loop that hangs is
 * noticed from outside it (HLT-1).
 *
 * @module
 */
import { type Clock, sleep } from "../async/clock.ts";
import { every } from "../async/every.ts";
import { BackgroundService } from "../async/service.ts";
import type { HealthListener, HealthSource } from "./listener.ts";
import type { HealthSnapshot } from "./types.ts";

/** One message; without a snapshot that is as it was before. */
export interface HealthReport {
  readonly alive: boolean;
  readonly snapshot?: HealthSnapshot;
}

const MOST_MS = 1_000;
/** However soon a loop is to be called blocked, its process has something else to do. */
const LEAST_MS = 20;

/** From one report to the next, so that several fit into the time after which a loop is called blocked. */
export function reportEveryMs(blockedAfterSeconds: number): number {
  return Math.max(LEAST_MS, Math.min(MOST_MS, blockedAfterSeconds * 250));
}

export interface HealthReporterOptions {
  readonly everyMs: number;
  readonly clock: Clock;
  /** Must not throw. */
  readonly send: (report: HealthReport) => void;
}

/** Reports from `start()` on that the loop turns, and once there is a source what that says. */
export class HealthReporter extends BackgroundService implements HealthListener {
  readonly name = "health_reporter";
  readonly #options: HealthReporterOptions;
  #source: HealthSource | undefined;
  #said: string | undefined;

  constructor(options: HealthReporterOptions) {
    super();
    this.#options = options;
  }

  /** From now on `source` is reported on. */
  attach(source: HealthSource): void {
    this.#source = source;
    this.changed();
  }

  /** The page beside the probes; undefined where there is none yet, or it could not be made. */
  async page(): Promise<string | undefined> {
    return await this.#source?.page?.text();
  }

  /** `POST /drainz` was asked for. */
  drain(): void {
    this.#source?.drain();
  }

  /** Reports at once, where it runs. */
  changed(): void {
    if (this.running) this.#report();
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    const { clock, everyMs } = this.#options;
    this.#said = undefined;
    this.#report();
    await every(clock, everyMs, signal, () => Promise.resolve(this.#report()));
  }

  #report(): void {
    const source = this.#source;
    if (!source) return this.#options.send({ alive: true });
    const alive = source.alive();
    const snapshot = source.snapshot();
    const text = JSON.stringify(snapshot);
    const isNew = text !== this.#said;
    this.#said = text;
    this.#options.send(isNew ? { alive, snapshot } : { alive });
  }
}

/** What is known of an engine elsewhere, from its reports. */
export class ReportedHealth {
  readonly #everyMs: number;
  readonly #mostMissed: number;
  #missed = 0;
  #heard = false;
  #alive = true;
  #snapshot: HealthSnapshot | undefined;

  constructor(blockedAfterSeconds: number) {
    this.#everyMs = reportEveryMs(blockedAfterSeconds);
    this.#mostMissed = Math.ceil(blockedAfterSeconds * 1000 / this.#everyMs);
  }

  heard({ alive, snapshot }: HealthReport): void {
    this.#heard = true;
    this.#missed = 0;
    this.#alive = alive;
    this.#snapshot = snapshot ?? this.#snapshot;
  }

  /**
   * Counts the time since the last report, until `signal` aborts. In turns of this thread's own loop: one that
   * stood still itself, as the whole machine does in its sleep, has heard nothing and says nothing.
   */
  async watch(clock: Clock, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(clock, this.#everyMs, signal);
      this.#missed++;
    }
  }

  /** It has begun, and does not do its work any more: only a restart helps. */
  get blocked(): boolean {
    return this.#heard && (!this.#alive || this.#missed > this.#mostMissed);
  }

  /** Whether it has ever reported. */
  get begun(): boolean {
    return this.#heard;
  }

  /** Undefined before it knows anything of its components. */
  get snapshot(): HealthSnapshot | undefined {
    return this.#snapshot;
  }
}
