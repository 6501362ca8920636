/**
 * An event store in this process's memory. The memory provider's units of work append to it in their own
 * commit.
 *
 * @module
 */
import { BaseEventStore, type BaseProvider, type EventAppend, type StoredEvent } from "../ports.ts";
import { kindOfStream } from "../stored_event.ts";
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

  async read(
    stream: string,
    options: { readonly from?: number; readonly limit: number },
  ): Promise<readonly StoredEvent[]> {
    await Promise.resolve();
    const from = options.from ?? 0;
    const at = kindOfStream(stream) === "stream"
      ? ({ position }: StoredEvent) => position
      : ({ globalPosition }: StoredEvent) => globalPosition;
    return this.#log.events(stream).filter((event) => at(event) >= from).slice(0, options.limit);
  }

  async last(stream: string): Promise<StoredEvent | undefined> {
    await Promise.resolve();
    return this.#log.events(stream).at(-1);
  }
}
