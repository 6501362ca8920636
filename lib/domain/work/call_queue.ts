/**
 * One call at a time: user code may start several calls of a context at once, a database session serves one.
 *
 * @module
 */
import { sessionEnded } from "../../adapters/ports.ts";

export class CallQueue {
  #tail: Promise<void> | undefined;
  #over = false;

  /**
   * Runs `work` after everything begun before it. Rejects with `IncorrectUsageError` once `end` has resolved.
   */
  next<T>(work: () => Promise<T> | T): Promise<T> {
    const result = this.#over
      ? Promise.reject(sessionEnded())
      : this.#tail === undefined
      ? begin(work)
      : this.#tail.then(work);
    this.#tail = result.then(nothing, nothing);
    return result;
  }

  /**
   * Waits for every call that was begun, awaited by its caller or not, then refuses further ones. Undefined:
   * there was none to wait for.
   */
  end(): Promise<void> | undefined {
    if (this.#tail !== undefined) return this.#outlast();
    this.#over = true;
    return undefined;
  }

  async #outlast(): Promise<void> {
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
