/**
 * One call at a time: user code may start several calls of a context at once, a database session serves one.
 *
 * @module
 */
import { IncorrectUsageError } from "../../errors.ts";

export class Turns {
  #tail: Promise<void> | undefined;
  #over = false;

  /** Runs `work` after everything begun before it. Rejects with `IncorrectUsageError` once `end` has resolved. */
  next<T>(work: () => Promise<T> | T): Promise<T> {
    const result = this.#over ? refused() : this.#tail === undefined ? begin(work) : this.#tail.then(work);
    this.#tail = result.then(nothing, nothing);
    return result;
  }

  /** Waits for every call that was begun, awaited by its caller or not, then refuses further ones. */
  async end(): Promise<void> {
    let tail = this.#tail;
    while (tail !== undefined) {
      await tail;
      tail = tail === this.#tail ? undefined : this.#tail;
    }
    this.#over = true;
  }
}

function nothing(): void {}

async function begin<T>(work: () => Promise<T> | T): Promise<T> {
  return await work();
}

function refused(): Promise<never> {
  return Promise.reject(
    new IncorrectUsageError(
      "This context has ended with its unit of work and does nothing any more: await every call before the handler returns.",
    ),
  );
}
