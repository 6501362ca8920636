/**
 * Does with a database what the work does, and changes nothing: for programs in which nothing works all the
 * time and tells how that goes. A database answers pings that is a standby, or refuses the role its tables.
 *
 * @module
 */
import { abortable } from "../async/abort.ts";
import type { BaseProvider } from "../adapters/ports.ts";
import type { Clock } from "../async/clock.ts";
import { every } from "../async/every.ts";
import { BackgroundService } from "../async/service.ts";
import { PoolTimeoutError } from "../errors.ts";
import { reporting, type WorkReporter } from "../status/work_health.ts";

const LOOK_MS = 2_000;

export interface WorkProbeOptions {
  readonly provider: BaseProvider;
  readonly clock: Clock;
  /** Of the database. */
  readonly work: WorkReporter;
}

export class WorkProbe extends BackgroundService {
  readonly name: string;
  readonly #options: WorkProbeOptions;

  constructor(options: WorkProbeOptions) {
    super();
    this.name = `work-probe-${options.provider.name}`;
    this.#options = options;
  }

  protected async run(signal: AbortSignal): Promise<void> {
    const { provider, clock, work } = this.#options;
    // A pool in full use is no reason to be unready.
    const verified = () =>
      provider.verify(signal).catch((error) => {
        if (!(error instanceof PoolTimeoutError)) throw error;
      });
    await every(
      clock,
      LOOK_MS,
      signal,
      () => reporting(work, abortable(verified(), signal)).catch(() => {}),
    );
    work.ok();
  }
}
