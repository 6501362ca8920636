/**
 * Messages that this process is publishing, until their rows say so.
 *
 * A message may be in a handler before its row is marked. If that handler kills its process, the next one publishes the row again: a
 * new entry without the attempts of the first, which kills again, and so on for ever (G5, F21). So the subscriptions of this process
 * wait for the mark; what happens in other processes does not keep this one from marking.
 *
 * @module
 */
import type { OutboxRow } from "../adapters/ports.ts";

export class Unmarked {
  readonly #marks = new Map<string, Promise<void>>();
  readonly #ends = new Set<() => void>();

  /** To be called before rows are published, and what it answers once they are marked or will not be. */
  begin(rows: readonly OutboxRow[]): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    for (const { messageId } of rows) this.#marks.set(messageId, promise);
    const end = () => {
      for (const { messageId } of rows) {
        if (this.#marks.get(messageId) === promise) this.#marks.delete(messageId);
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

  /** Resolves, and never rejects, when the message may be handled here; undefined where there is nothing to wait for. */
  of(messageId: string): Promise<void> | undefined {
    return this.#marks.get(messageId);
  }
}
