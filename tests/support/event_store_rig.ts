/**
 * Event-store subscriptions on an event store in memory, with handlers that the test scripts and time that the
 * test moves.
 *
 * @module
 */
import { MemoryEventStore } from "../../lib/adapters/memory/event_store.ts";
import { MemoryProvider } from "../../lib/adapters/memory/provider.ts";
import type {
  BaseEventStore,
  EventAppend,
  ReadEventsOptions,
  StoredEvent,
} from "../../lib/adapters/ports.ts";
import type { HandlerRunner } from "../../lib/domain/handler_port.ts";
import { ProviderUnavailableError } from "../../lib/errors.ts";
import { checksumOf } from "../../lib/message/checksum.ts";
import { commandMetadata, eventMetadata } from "../../lib/message/metadata.ts";
import { categoryOf, checkpointStream, failedStream, positionStream } from "../../lib/message/names.ts";
import {
  EventStoreSubscription,
  type EventStoreSubscriptionOptions,
} from "../../lib/subscription/event_store_subscription.ts";
import type { SubscriptionSettings } from "../../lib/subscription/settings/resolve.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { CATEGORY, settings as streamSettings } from "./subscription_rig.ts";

export const storeSettings: SubscriptionSettings = {
  ...streamSettings,
  subscriptionType: "event_store",
  enableDlq: false,
};

/** An append of event `n` of aggregate `id`. */
export function storedEvent(id: string, n: number, type = "Shop.OrderPlaced.v1"): EventAppend {
  const stream = `${CATEGORY}-${id}`;
  const data = JSON.stringify({ id, n });
  const metadata = eventMetadata({
    ...{ id: `${stream}-${n}`, type, stream, category: CATEGORY, time: 0 },
    ...{ sequenceId: `${n}.1`, checksum: checksumOf(data), correlationId: null, causationId: null },
  });
  return { stream, type, data, metadata, expectedVersion: undefined };
}

/** As `storedEvent`, a command. */
export function storedCommand(id: string, n: number, asynchronous: boolean): EventAppend {
  const stream = `${CATEGORY}-${id}`;
  const data = JSON.stringify({ id, n });
  const type = "Shop.PlaceOrder.v1";
  const metadata = commandMetadata({
    ...{ id: `c-${id}-${n}`, type, stream, time: 0, asynchronous },
    ...{ checksum: checksumOf(data), correlationId: null, causationId: null },
  });
  return { stream, type, data, metadata, expectedVersion: undefined };
}

/** A store in memory that refuses what the test says. */
export class FlakyEventStore extends MemoryEventStore {
  /** Returns a reason to refuse the call; undefined: it is done. */
  refuse: (operation: "append" | "read" | "last", stream: string, type?: string) => string | undefined = () =>
    undefined;

  override append(
    events: readonly EventAppend[],
    options?: { readonly signal?: AbortSignal },
  ): Promise<readonly number[]> {
    const [first] = events;
    return this.#unless("append", first?.stream ?? "", () => super.append(events, options), first?.type);
  }

  override read(stream: string, options: ReadEventsOptions): Promise<readonly StoredEvent[]> {
    return this.#unless("read", stream, () => super.read(stream, options));
  }

  override last(stream: string): Promise<StoredEvent | undefined> {
    return this.#unless("last", stream, () => super.last(stream));
  }

  #unless<T>(
    operation: "append" | "read" | "last",
    stream: string,
    work: () => Promise<T>,
    type?: string,
  ): Promise<T> {
    const reason = this.refuse(operation, stream, type);
    return reason === undefined ? work() : Promise.reject(new ProviderUnavailableError(reason));
  }
}

type Change =
  & Partial<SubscriptionSettings>
  & Partial<
    Pick<
      EventStoreSubscriptionOptions,
      "recoveryIntervalSeconds" | "gapTimeoutSeconds" | "health" | "category" | "locks" | "store"
    >
  >;

export class EventStoreRig {
  readonly clock = new FakeClock();
  readonly store: FlakyEventStore;
  readonly provider: MemoryProvider;
  #consumers = 0;

  constructor() {
    const options = { name: "default", domain: "shop", settings: {}, folder: ".", clock: this.clock };
    this.store = new FlakyEventStore(options);
    this.provider = new MemoryProvider(options);
  }

  subscribe(
    runner: HandlerRunner,
    change: Change = {},
    onFailure: (error: Error) => void = () => {},
  ): EventStoreSubscription {
    const { gapTimeoutSeconds = 5, health, category = CATEGORY, locks, store, ...settings } = change;
    const recoveryIntervalSeconds = "recoveryIntervalSeconds" in change ? change.recoveryIntervalSeconds : 30;
    return new EventStoreSubscription({
      ...{ runner, category, gapTimeoutSeconds, recoveryIntervalSeconds, onFailure },
      store: store ?? this.store,
      locks: locks ?? [this.provider],
      settings: { ...storeSettings, ...settings },
      consumer: `${runner.name}-host-1-00000${++this.#consumers}`,
      clock: this.clock,
      random: () => 0.5,
      ...(health && { health }),
    });
  }

  /** Starts a subscription, and lets it take what is there. */
  async started(
    runner: HandlerRunner,
    change: Change = {},
    onFailure?: (error: Error) => void,
  ): Promise<EventStoreSubscription> {
    const subscription = this.subscribe(runner, change, onFailure);
    await subscription.start();
    await this.clock.advance(10);
    return subscription;
  }

  /** Appends `a1 b1 a2`: aggregate and number. */
  async append(events: string): Promise<void> {
    await this.appendAll(
      events.split(" ").map((event) => storedEvent(event.slice(0, 1), Number(event.slice(1)))),
    );
  }

  async appendAll(events: readonly EventAppend[]): Promise<void> {
    await this.store.append(events);
    await this.clock.advance(10);
  }

  /** What was kept as position, in order. */
  positions(runner: HandlerRunner, category = CATEGORY): Promise<number[]> {
    return this.#data(positionStream(runner.group, category)).then((all) =>
      all.map(({ data }) => Number(data["position"]))
    );
  }

  /** What was recorded of failed messages: `Failed 3 0`, type, position and retry count, in order. */
  failures(runner: HandlerRunner, category = CATEGORY): Promise<string[]> {
    return this.#data(failedStream(runner.group, category)).then((all) =>
      all.map(({ type, data }) => `${type} ${data["position"]} ${data["retry_count"]}`)
    );
  }

  /** Data of the checkpoints, in order. */
  checkpoints(runner: HandlerRunner): Promise<unknown[]> {
    return this.#data(checkpointStream(runner.group, CATEGORY)).then((all) => all.map(({ data }) => data));
  }

  /** Writes a record as another program would. */
  async record(stream: string, type: string, data: unknown): Promise<void> {
    const headers = { id: crypto.randomUUID(), type, time: null, stream };
    await this.store.append([{
      ...{ stream, type, data: typeof data === "string" ? data : JSON.stringify(data) },
      metadata: { headers, domain: { kind: "READ_POSITION", origin_stream: categoryOf(stream) } },
      expectedVersion: undefined,
    }]);
  }

  async close(...subscriptions: EventStoreSubscription[]): Promise<void> {
    const stopping = Promise.all(subscriptions.map((subscription) => subscription.stop()));
    await this.clock.advance(2000);
    await stopping;
    await this.provider.close();
  }

  async #data(stream: string): Promise<{ readonly type: string; readonly data: Record<string, unknown> }[]> {
    const records = await MemoryEventStore.prototype.read.call(this.store, stream, { limit: 100_000 });
    return records.map(({ type, data }) => ({ type, data: JSON.parse(data) }));
  }
}

export type { BaseEventStore };
