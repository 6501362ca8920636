/**
 * Acknowledgements travel with the next read (design 11). Where no read comes soon, they are sent by themselves.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { StreamGroup } from "../adapters/ports.ts";
import type { Clock } from "../async/clock.ts";
import { asError } from "../errors.ts";
import type { Delivery } from "./delivery.ts";

/** How long acknowledgements wait for a read to take them along. */
const LINGER_MS = 5;
const log = getLogger(["protean", "subscription"]);

export class Acknowledgements {
  #waiting: Delivery[] = [];
  #cancel: (() => void) | undefined;
  #flushing: Promise<void> | undefined;
  #closed = false;

  /** `settled` is called for each entry once the broker has taken its acknowledgement. */
  constructor(
    private readonly group: StreamGroup,
    private readonly clock: Clock,
    private readonly settled: (delivery: Delivery) => void,
  ) {}

  get size(): number {
    return this.#waiting.length;
  }

  /** Leaves with the next read, or by itself if none comes soon: a handler may be at work for long, or a read block. */
  add(delivery: Delivery): void {
    this.#waiting.push(delivery);
    this.linger();
  }

  /** What the next read takes along; give it to `confirm` or `giveBack` afterwards. */
  take(): Delivery[] {
    this.#disarm();
    const taken = this.#waiting;
    this.#waiting = [];
    return taken;
  }

  confirm(taken: readonly Delivery[]): void {
    for (const delivery of taken) this.settled(delivery);
  }

  /** The read failed, and may or may not have acknowledged: they are sent again, which is harmless. */
  giveBack(taken: readonly Delivery[]): void {
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

  /** Sends them now. What the broker does not take stays for the next read; never rejects. */
  async flush(): Promise<void> {
    await this.#flushing;
    if (this.#waiting.length === 0) return;
    this.#flushing = this.#send(this.take());
    await this.#flushing;
    this.#flushing = undefined;
  }

  /** Clears the timer, for good, and waits for what is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#disarm();
    await this.#flushing;
  }

  async #send(taken: readonly Delivery[]): Promise<void> {
    try {
      await this.group.ack(taken.map((delivery) => delivery.id));
      this.confirm(taken);
    } catch (error) {
      this.giveBack(taken);
      log.debug("subscription.ack_deferred", {
        stream: this.group.stream,
        group: this.group.group,
        error: asError(error).message,
      });
    }
  }

  #disarm(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
