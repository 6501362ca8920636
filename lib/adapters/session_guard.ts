/**
 * The life of a provider session: open, failed, over, or abandoned by the drain. Shared by the embedded adapters, so that
 * they refuse the same calls with the same words as a database server would.
 *
 * @module
 */
import { CommitRefusedError, IncorrectUsageError } from "../errors.ts";

type State =
  | { readonly kind: "open" | "committing" | "over" | "abandoned" }
  /** As in PostgreSQL: after a statement has failed the unit of work can only be rolled back, with that error. */
  | { readonly kind: "failed"; readonly cause: unknown };

/** Decides whether a session's method may run. */
export class SessionGuard {
  #state: State = { kind: "open" };

  /** Throws `CommitRefusedError` after `abandon()`, `IncorrectUsageError` after the end, or what failed before. */
  check(): void {
    switch (this.#state.kind) {
      case "open":
        return;
      case "failed":
        throw this.#state.cause;
      case "abandoned":
        throw new CommitRefusedError("This unit of work was cut by the drain: nothing of it is committed.");
      case "committing":
      case "over":
        throw new IncorrectUsageError(
          "This unit of work is over: await everything that the handler does through its context before it returns.",
        );
    }
  }

  /** Runs one method of an open session; if it throws, the session has failed for good. */
  async run<T>(method: () => T | Promise<T>): Promise<T> {
    this.check();
    try {
      const result = await method();
      if (this.#state.kind === "abandoned") this.check();
      return result;
    } catch (cause) {
      if (this.#state.kind === "abandoned") this.check();
      if (this.#state.kind === "open") this.#state = { kind: "failed", cause };
      throw cause;
    }
  }

  /** Runs the last method: for everybody else the session is over from now on. */
  async finish<T>(method: () => T | Promise<T>): Promise<T> {
    this.check();
    this.#state = { kind: "committing" };
    try {
      return await method();
    } finally {
      if (this.#state.kind === "committing") this.#state = { kind: "over" };
    }
  }

  /** Rolled back. True when there may be something to undo. */
  end(): boolean {
    const active = this.#state.kind === "open" || this.#state.kind === "failed";
    if (active) this.#state = { kind: "over" };
    return active;
  }

  /** Cut by the drain, also in the middle of `finish`. */
  abandon(): void {
    if (this.#state.kind !== "over") this.#state = { kind: "abandoned" };
  }
}
