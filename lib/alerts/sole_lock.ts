/**
 * A broker's lock, kept from one cycle to the next: of all processes on the broker, whoever has it does the
 * work.
 *
 * @module
 */
import type { BaseBroker, Lock } from "../adapters/ports.ts";
import { NotSupportedError } from "../errors.ts";

/** `fresh`: it was taken just now, so somebody else may have worked before. */
export interface Held {
  /** Aborts when the lock is lost; undefined where nobody else can be there. */
  readonly signal: AbortSignal | undefined;
  readonly fresh: boolean;
}

export class SoleLock {
  readonly #broker: Pick<BaseBroker, "lock">;
  readonly #name: string;
  #lock: Lock | undefined;
  #begun = false;

  constructor(broker: Pick<BaseBroker, "lock">, name: string) {
    this.#broker = broker;
    this.#name = name;
  }

  /**
   * Takes the lock, or says that it is held still. Undefined while somebody else has it. A broker without locks
   * has one process. Rejects as the broker does.
   */
  async hold(signal: AbortSignal): Promise<Held | undefined> {
    if (this.#lock?.signal.aborted) this.#lock = undefined;
    if (this.#lock) return { signal: this.#lock.signal, fresh: false };
    try {
      this.#lock = await this.#broker.lock(this.#name, { signal });
      return this.#lock && { signal: this.#lock.signal, fresh: true };
    } catch (error) {
      if (!(error instanceof NotSupportedError)) throw error;
      const fresh = !this.#begun;
      this.#begun = true;
      return { signal: undefined, fresh };
    }
  }

  /** Never rejects. */
  async release(): Promise<void> {
    const lock = this.#lock;
    this.#lock = undefined;
    this.#begun = false;
    await lock?.[Symbol.asyncDispose]();
  }
}
