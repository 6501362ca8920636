/**
 * An event store in this process's memory. The memory provider's units of work append to it in their own
 * commit.
 *
 * @module
 */
import {
  BaseEventStore,
  type BaseProvider,
  type EventAppend,
  type ReadEventsOptions,
  type StoredEvent,
} from "../ports.ts";
import { kindOfStream, within } from "../stored_event.ts";
import { MemoryEventLog } from "./event_log.ts";
import { MemoryProvider } from "./provider.ts";

export class MemoryEventStore extends BaseEventStore {
  readonly #log = new MemoryEventLog();

  ping(signal: AbortSignal): Promise<void> {
    return Promise.resolve().then(() => signal.throwIfAborted());
  }

  /**
   * True for a memory provider, which from then on commits to this store; it joins the first one that asks.
   */
  override sharesTransactionWith(provider: BaseProvider): boolean {
    return provider instanceof MemoryProvider && provider.join(this.#log);
  }

  async append(
    events: readonly EventAppend[],
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly number[]> {
    await Promise.resolve();
    signal?.throwIfAborted();
    return this.#log.append(events, this.options.clock.now());
  }

  async read(stream: string, options: ReadEventsOptions): Promise<readonly StoredEvent[]> {
    await Promise.resolve();
    const from = options.from ?? 0;
    const at = kindOfStream(stream) === "stream"
      ? ({ position }: StoredEvent) => position
      : ({ globalPosition }: StoredEvent) => globalPosition;
    const events = this.#log.events(stream);
    let low = 0;
    for (let high = events.length; low < high;) {
      const middle = (low + high) >> 1;
      const event = events[middle];
      if (event && at(event) < from) low = middle + 1;
      else high = middle;
    }
    return within(events.slice(low, low + options.limit), options.maxSize);
  }

  async last(stream: string): Promise<StoredEvent | undefined> {
    await Promise.resolve();
    return this.#log.events(stream).at(-1);
  }

  override watch(listener: () => void): () => void {
    return this.#log.watch(listener);
  }
}
