/**
 * Whether what the handlers ask of a database waits for somebody else's lock. It is not answered, while pings
 * are: readiness must say so (issue 9, D8). Statements that take long by themselves, and handlers that wait
 * for each other, are no reason.
 *
 * @module
 */
import { abortable } from "../async/abort.ts";
import type { BaseProvider } from "../adapters/ports.ts";
import type { Clock } from "../async/clock.ts";
import { every } from "../async/every.ts";
import { BackgroundService, type EngineService } from "../async/service.ts";
import type { WorkReporter } from "../status/work_health.ts";

const LOOK_MS = 2_000;

export interface LockWatchOptions {
  readonly provider: BaseProvider;
  readonly clock: Clock;
  /** Of the database. */
  readonly work: WorkReporter;
}

export class LockWatch extends BackgroundService implements EngineService {
  readonly stage = "maintenance";
  readonly name: string;
  readonly #options: LockWatchOptions;

  constructor(options: LockWatchOptions) {
    super();
    this.name = `lock-watch-${options.provider.name}`;
    this.#options = options;
  }

  protected async run(signal: AbortSignal): Promise<void> {
    const { clock, work } = this.#options;
    // What the database does not answer is told by whoever works with it.
    await every(clock, LOOK_MS, signal, () => this.#look(signal).catch(() => {}));
    work.ok();
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { provider, work } = this.#options;
    const reason = await abortable(provider.heldUp(), signal);
    if (reason === undefined) work.ok();
    else work.unavailable(reason);
  }
}
