/**
 * Locks within one process, on one adapter.
 *
 * @module
 */
import { ProteanError } from "../../errors.ts";
import type { Lock } from "../ports.ts";

export class MemoryLocks {
  readonly #held = new Map<string, AbortController>();

  lock(name: string): Promise<Lock | undefined> {
    if (this.#held.has(name)) return Promise.resolve(undefined);
    const lost = new AbortController();
    this.#held.set(name, lost);
    const release = () => {
      if (this.#held.get(name) === lost) this.#held.delete(name);
      return Promise.resolve();
    };
    return Promise.resolve({ name, signal: lost.signal, [Symbol.asyncDispose]: release });
  }

  close(): Promise<void> {
    for (const [name, lost] of this.#held) {
      const message = `The lock '${name}' is lost: its adapter was closed.`;
      lost.abort(new ProteanError(message, { code: "LOCK_LOST" }));
    }
    this.#held.clear();
    return Promise.resolve();
  }
}
