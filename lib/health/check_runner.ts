/**
 * Runs the checks of `domain.check` in this process: each by itself, bounded in time, so that one that throws
 * or hangs harms nobody.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { abortable, timeLimit } from "../async/abort.ts";
import { type Clock, sleep } from "../async/clock.ts";
import { BackgroundService, type EngineService, type ServiceStatus } from "../async/service.ts";
import type { CheckDefinition, CheckState } from "../domain/check.ts";
import type { CheckObserver, Observer } from "../domain/observer.ts";
import { maskText } from "../config/secrets.ts";
import { printable } from "../config/visible.ts";
import { errorLine } from "../message/describe_error.ts";

const log = getLogger(["protean", "health"]);

/** Characters of a reason that are shown. */
const LONGEST_REASON = 300;

interface Watched {
  readonly definition: CheckDefinition;
  readonly observer: CheckObserver | undefined;
  state: CheckState;
  /** It has not come back from an earlier run. */
  isBusy: boolean;
}

export interface CheckRunnerOptions {
  readonly checks: readonly CheckDefinition[];
  readonly clock: Clock;
  readonly observer?: Pick<Observer, "check">;
}

export class CheckRunner extends BackgroundService implements EngineService {
  readonly stage = "maintenance";
  readonly name = "checks";
  readonly #clock: Clock;
  readonly #watched: readonly Watched[];
  readonly #counters = { passed: 0, failed: 0 };

  constructor({ checks, clock, observer }: CheckRunnerOptions) {
    super();
    this.#clock = clock;
    this.#watched = checks.map((definition) => {
      const { name, gatesReadiness } = definition;
      return {
        definition,
        observer: observer?.check?.(name),
        state: { name, status: "pending", gatesReadiness },
        isBusy: false,
      };
    });
  }

  /** How each went last, in order of declaration. */
  get states(): readonly CheckState[] {
    return this.#watched.map(({ state }) => state);
  }

  status(): ServiceStatus {
    return { kind: "checks", name: this.name, unfinished: 0, counters: { ...this.#counters } };
  }

  protected async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#watched.map((watched) => this.#repeat(watched, signal)));
  }

  async #repeat(watched: Watched, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#once(watched, signal);
      await sleep(this.#clock, watched.definition.everySeconds * 1000, signal);
    }
  }

  /** Never rejects. */
  async #once(watched: Watched, signal: AbortSignal): Promise<void> {
    const began = this.#clock.monotonic();
    const error = await this.#failure(watched, signal);
    // What it says when it is cut is no news of what it checks.
    if (signal.aborted) return;
    watched.observer?.ran(this.#clock.monotonic() - began, error === undefined);
    this.#counters[error === undefined ? "passed" : "failed"]++;
    const { name, gatesReadiness, status: before } = watched.state;
    const status = error === undefined ? "ok" : "failed";
    watched.state = { name, gatesReadiness, status, ...(error !== undefined && { error }) };
    if (status === "failed" && before !== "failed") log.warn("check.failed", { check: name, error });
    if (status === "ok" && before === "failed") log.info("check.recovered", { check: name });
  }

  /** Returns why it failed, undefined where it passed. */
  async #failure(watched: Watched, stop: AbortSignal): Promise<string | undefined> {
    if (watched.isBusy) return "it has not come back from an earlier run";
    const { run, timeoutMs } = watched.definition;
    using limit = timeLimit(timeoutMs, this.#clock, stop);
    const { signal } = limit;
    watched.isBusy = true;
    const called = Promise.try(() => run({ signal })).finally(() => watched.isBusy = false);
    try {
      return await abortable(called, signal) === false ? "it returned false" : undefined;
    } catch (error) {
      if (signal.aborted) return `it did not come back within ${timeoutMs} ms`;
      return reasonOf(error);
    }
  }
}

/** Its text is shown: a check knows of no payload, and says in it what is wrong. */
function reasonOf(thrown: unknown): string {
  return printable(maskText(errorLine(thrown))).slice(0, LONGEST_REASON).toWellFormed();
}
