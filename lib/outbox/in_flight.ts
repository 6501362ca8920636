/**
 * Messages that this process is publishing, until their rows say so.
 *
 * A message may be in a handler before its row is recorded as published. If that handler kills its process,
 * the next one publishes the row again: a new entry without the attempts of the first, which kills again, and
 * so on for ever (G5, F21). So the subscriptions of this process wait for the record; what happens in other
 * processes does not keep this one from writing it.
 *
 * @module
 */
import type { OutboxRow } from "../adapters/ports.ts";

export class InFlightMessages {
  readonly #records = new Map<string, Promise<void>>();
  readonly #ends = new Set<() => void>();

  /**
   * To be called before rows are published, and what it returns once they are recorded as published or will
   * not be.
   */
  begin(rows: readonly OutboxRow[]): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    for (const { messageId } of rows) this.#records.set(messageId, promise);
    const end = () => {
      for (const { messageId } of rows) {
        if (this.#records.get(messageId) === promise) this.#records.delete(messageId);
      }
      this.#ends.delete(end);
      resolve();
    };
    this.#ends.add(end);
    return end;
  }

  /** Nothing is under way any more. */
  clear(): void {
    for (const end of this.#ends) end();
  }

  /**
   * Resolves, and never rejects, when the message may be handled here; undefined where there is nothing to
   * wait for.
   */
  settled(messageId: string): Promise<void> | undefined {
    // Where nothing is under way, as in a process that only consumes, no text is hashed for it.
    return this.#records.size === 0 ? undefined : this.#records.get(messageId);
  }
}
