/**
 * Acknowledgements travel with the next read (design 11). Where no read comes soon, they are sent by
 * themselves.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { Clock } from "../async/clock.ts";
import { asError } from "../errors.ts";
import { unheard, type WorkReporter } from "../status/work_health.ts";
import type { Source } from "./source.ts";

/** How long acknowledgements wait for a read to take them along. */
const LINGER_MS = 5;
const log = getLogger(["protean", "subscription"]);

export class Acknowledgements<T extends { readonly id: string }> {
  /** For the next read to take along. */
  #waiting: T[] = [];
  /** For the next send: no read takes them any more, so that `flush` knows when they are confirmed. */
  #leaving: T[] = [];
  #sending: Promise<void> = Promise.resolve();
  #cancel: (() => void) | undefined;
  #closed = false;

  /**
   * `settled` is called for each item once the source has taken its acknowledgement; `work` is told how that
   * goes.
   */
  constructor(
    private readonly source: Pick<Source, "name" | "group" | "confirm">,
    private readonly clock: Clock,
    private readonly settled: (item: T) => void,
    private readonly work: WorkReporter = unheard,
  ) {}

  /**
   * Leaves with the next read, or by itself if none comes soon: a handler may be at work for long, or a read
   * block.
   */
  add(item: T): void {
    this.#waiting.push(item);
    this.linger();
  }

  /** What the next read takes along; give it to `confirm` or `giveBack` afterwards. */
  take(): T[] {
    this.#disarm();
    const taken = this.#waiting;
    this.#waiting = [];
    return taken;
  }

  confirm(taken: readonly T[]): void {
    if (taken.length > 0) this.work.ok();
    for (const item of taken) this.settled(item);
  }

  /** The read failed, and may or may not have acknowledged: they are sent again, which is harmless. */
  giveBack(taken: readonly T[]): void {
    if (taken.length > 0) this.#waiting = taken.concat(this.#waiting);
  }

  /** Sends them shortly unless a read takes them first. */
  linger(): void {
    if (this.#cancel || this.#closed || this.#waiting.length === 0) return;
    this.#cancel = this.clock.after(LINGER_MS, () => {
      this.#cancel = undefined;
      void this.flush();
    });
  }

  /**
   * Sends everything now, one send after the other. Resolves when all that was added before has been sent;
   * what the source did not take then stays for the next read. Never rejects.
   */
  flush(): Promise<void> {
    const taken = this.take();
    if (taken.length > 0) this.#leaving = this.#leaving.concat(taken);
    return this.#sending = this.#sending.then(() => this.#send());
  }

  /** Clears the timer, for good, and waits for what is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#disarm();
    await this.#sending;
  }

  async #send(): Promise<void> {
    const taken = this.#leaving;
    if (taken.length === 0) return;
    this.#leaving = [];
    try {
      await this.source.confirm(taken.map(({ id }) => id));
      this.confirm(taken);
    } catch (error) {
      this.giveBack(taken);
      this.work.unavailable(asError(error).message);
      log.debug("subscription.ack_deferred", {
        stream: this.source.name,
        group: this.source.group,
        error: asError(error).message,
      });
    }
  }

  #disarm(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
