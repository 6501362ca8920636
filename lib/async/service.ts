/**
 * One contract for everything that runs in the background (house style: River's). Its tolerances, tested over
 * every service by `tests/unit/async/service_test.ts`:
 *
 * - `stop()` before `start()` does nothing; a second `stop()` waits for the first.
 * - a second `start()` while running does nothing and resolves with the first.
 * - a failed `start()` leaves the service stopped, and it may be started again; so may a stopped one.
 * - after `stop()` has resolved nothing of the service runs any more: no timer, no read, no callback.
 *
 * @module
 */

/** Something that runs in the background between `start()` and `stop()`. */
export interface Service {
  readonly name: string;
  /** Resolves once the service is doing its work. Rejects when it cannot begin. */
  start(): Promise<void>;
  /** Stops taking work, ends what is running, resolves when nothing is left. Never rejects. */
  stop(): Promise<void>;
}

/**
 * When the drain stops a service (design 7): `intake` takes messages and runs handlers; `publishing` goes on
 * until those have ended, and its `stop()` publishes what is due then; `maintenance` is for itself.
 */
export type ServiceStage = "intake" | "publishing" | "maintenance";

/** What a service has done so far, as plain data. */
export interface ServiceStatus {
  /** `subscription`, `outbox`, … */
  readonly kind: string;
  readonly name: string;
  /** Pieces of work that were begun and whose outcome is open. */
  readonly unfinished: number;
  /**
   * Since the service was made. `cut` counts handlers that the drain stopped or gave up, `unacknowledged` and
   * `unreleased` messages of which the broker could not be told at the end.
   */
  readonly counters: Readonly<Record<string, number>>;
}

/** A service that the engine runs. Everything but the stage is for those that need it. */
export interface EngineService extends Service {
  readonly stage: ServiceStage;
  /** True when only a restart of the process helps (HLT-1). */
  readonly stuck?: boolean;
  /**
   * The time for an orderly end is over: aborts the signals of handlers (intake), begins no further batch
   * (publishing).
   */
  cut?(): void;
  /** A second after `cut`: gives up what still runs. Returns how many pieces of work that were. */
  abandon?(): number;
  status?(): ServiceStatus;
}

/** Implements the tolerances; a subclass writes `run`, which ends when its signal aborts. */
export abstract class BackgroundService implements Service {
  abstract readonly name: string;
  #state:
    | { readonly abort: AbortController; readonly started: Promise<void>; readonly ended: Promise<void> }
    | undefined;

  /** True between a successful `start()` and the end of `run`. */
  get running(): boolean {
    return this.#state !== undefined && !this.#state.abort.signal.aborted;
  }

  start(): Promise<void> {
    if (this.#state) return this.#state.started;
    const abort = new AbortController();
    const begun = Promise.withResolvers<void>();
    const ended = this.#live(abort.signal, begun);
    const state = { abort, started: begun.promise, ended };
    this.#state = state;
    void ended.finally(() => {
      if (this.#state === state) this.#state = undefined;
    });
    return begun.promise;
  }

  async stop(): Promise<void> {
    const state = this.#state;
    if (!state) return;
    state.abort.abort();
    await state.ended;
  }

  async #live(signal: AbortSignal, begun: PromiseWithResolvers<void>): Promise<void> {
    // The caller of start() gets the rejection; without one nobody else should.
    begun.promise.catch(() => {});
    await Promise.resolve();
    try {
      await this.begin(signal);
      begun.resolve();
    } catch (cause) {
      // Forgotten before the caller hears of it, who may start again at once.
      this.#state = undefined;
      begun.reject(cause);
      return;
    }
    try {
      await this.run(signal);
    } catch (cause) {
      if (!signal.aborted) this.failed(cause);
    } finally {
      await this.end();
    }
  }

  /** Acquires what `run` needs. Throwing here means that the service did not start. */
  protected begin(_signal: AbortSignal): Promise<void> | void {}

  /** The work itself; returns soon after `signal` aborts. */
  protected abstract run(signal: AbortSignal): Promise<void>;

  /** Gives back what `begin` acquired. Must not throw. */
  protected end(): Promise<void> | void {}

  /** `run` threw although nobody asked it to stop: a defect. The engine overrides this to shut down (S72). */
  protected failed(_cause: unknown): void {}
}
