/**
 * Whether anybody publishes what is due. A server whose own backends do all that it asks may still have rows
 * in shards that another one holds and leaves: readiness must say so (issue 9, D8).
 *
 * @module
 */
import { abortable } from "../async/abort.ts";
import type { BaseBroker, BaseProvider } from "../adapters/ports.ts";
import type { Clock } from "../async/clock.ts";
import { every } from "../async/every.ts";
import { BackgroundService, type EngineService } from "../async/service.ts";
import type { WatchReporter, WorkReporter } from "../status/work_health.ts";

const LOOK_MS = 2_000;
/** A row that is the first for so long may be published by nobody; readiness waits for some seconds more. */
const LEFT_MS = 2_000;

export interface UnpublishedWatchOptions {
  readonly provider: BaseProvider;
  readonly broker: BaseBroker;
  readonly clock: Clock;
  /** Of the database. */
  readonly work: WorkReporter;
  /** Of the broker, of which nothing is told here. */
  readonly publishing: WatchReporter;
}

export class UnpublishedWatch extends BackgroundService implements EngineService {
  readonly stage = "maintenance";
  readonly name: string;
  readonly #options: UnpublishedWatchOptions;
  /** The first row that was due, and since when it has been the first. */
  #first: { readonly id: string; readonly since: number } | undefined;

  constructor(options: UnpublishedWatchOptions) {
    super();
    const { provider, broker } = options;
    this.name = `unpublished-watch-${provider.name}-to-${broker.name}`;
    this.#options = options;
  }

  protected async run(signal: AbortSignal): Promise<void> {
    this.#first = undefined;
    // What the database does not answer is told by whoever works with it.
    await every(this.#options.clock, LOOK_MS, signal, () => this.#look(signal).catch(() => {}));
    this.#options.work.ok();
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { provider, broker, clock, work, publishing } = this.#options;
    const due = await abortable(provider.outbox.oldestDue(broker.name), signal);
    // What was known before says nothing about now.
    if (due?.ageMs) return;
    const now = clock.monotonic();
    // Why this process publishes nothing is told by its processor, which knows. What it says of the database
    // is told first, and what it does not know of may outlast it.
    const isExplained = publishing.othersTell;
    if (isExplained || due === undefined || due.id !== this.#first?.id) {
      this.#first = isExplained ? undefined : due && { id: due.id, since: now };
      return work.ok();
    }
    if (now - this.#first.since < LEFT_MS) return;
    work.unavailable(
      `Row ${due.id} of the outbox '${provider.name}' is due for broker '${broker.name}' since ` +
        `${Math.round(due.waitedMs / 1000)} s, and no server publishes it.`,
    );
  }
}
