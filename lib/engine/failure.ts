/**
 * What ends a run although nobody asked it to: a background service that stopped working, and errors that
 * user code let go of (S72).
 *
 * The line between a failure and a dependency that is down: services try again by themselves, for ever,
 * whatever a backend answers, and readiness tells of it. Only a loop that has ended is reported here, because
 * nothing but a restart begins it again.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";

const log = getLogger(["protean", "engine"]);

/** The failure of one run. */
export class Failure {
  readonly #failed = new AbortController();
  #cut = false;

  /** Aborts at the first failure. */
  get signal(): AbortSignal {
    return this.#failed.signal;
  }

  /** The run has failed; all but the first time are without effect. */
  report(error: Error): void {
    if (this.signal.aborted) return;
    log.fatal("engine.failed", { error: error.message });
    this.#failed.abort(error);
  }

  /**
   * Handlers are being cut: what is let go of from now on is most likely the echo of that, and the exit code
   * tells of the cut.
   */
  handlersCut(): void {
    this.#cut = true;
  }

  /** An error that user code let go of. Its stack says where it came from, and nothing else does. */
  stray(error: Error): void {
    const facts = { error: error.message, stack: error.stack };
    if (this.#cut) return log.warn("engine.stray_error_after_cut", facts);
    log.error("engine.stray_error", facts);
    this.report(error);
  }
}
