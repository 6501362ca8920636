/**
 * What the tests of the outbox processor work with.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { MemoryBroker } from "../../../lib/adapters/memory/broker.ts";
import { MemoryProvider } from "../../../lib/adapters/memory/provider.ts";
import {
  type BrokerCapabilities,
  type OutboxInsert,
  type OutboxLease,
  type OutboxStore,
  type PublishResult,
  shardOf,
} from "../../../lib/adapters/ports.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { BrokerUnavailableError, RefusedError } from "../../../lib/errors.ts";
import { decodeMessage } from "../../../lib/message/envelope.ts";
import { eventMetadata } from "../../../lib/message/metadata.ts";
import { OutboxProcessor, type OutboxProcessorOptions } from "../../../lib/outbox/processor.ts";

export const retry = {
  max_attempts: 3,
  base_delay_seconds: 1,
  max_backoff_seconds: 60,
  backoff_multiplier: 2,
  jitter: false,
  jitter_factor: 0.25,
};

/**
 * A memory broker whose publishing the test can break: away altogether, for single streams, or for single
 * messages.
 */
export class FragileBroker extends MemoryBroker {
  override capabilities: BrokerCapabilities = {
    embedded: true,
    inOrder: true,
  };
  away = false;
  /** Waited for before anything is published. */
  gate: Promise<void> | undefined;
  /** Refused once each, by message id. */
  stumbles = new Set<string>();
  /** How many entries came in each publish. */
  readonly batches: number[] = [];
  full = new Set<string>();
  refused = new Set<string>();
  /** Categories whose key is another's. */
  wrong = new Set<string>();
  readonly published: string[] = [];

  override async publish(
    entries: readonly { readonly stream: string; readonly data: string }[],
  ): Promise<readonly PublishResult[]> {
    this.batches.push(entries.length);
    await this.gate;
    if (this.away) throw new BrokerUnavailableError("Broker 'default' does not answer.");
    const results: PublishResult[] = [];
    for (const entry of entries) {
      const id = decodeMessage(entry.data).metadata.headers.id;
      const stream = decodeMessage(entry.data).metadata.headers.stream;
      if (this.full.has(stream)) {
        results.push({ error: new BrokerUnavailableError("Broker 'default' is out of memory.") });
      } else if (this.wrong.has(entry.stream)) {
        results.push({ error: new RefusedError(`'${entry.stream}' is no stream.`, { concerns: "key" }) });
      } else if (this.refused.has(stream) || this.stumbles.delete(id)) {
        results.push({ error: new Error("WRONGTYPE") });
      } else {
        this.published.push(id);
        results.push(...await super.publish([entry]));
      }
    }
    return results;
  }
}

export class OutboxRig {
  readonly clock = new FakeClock();
  readonly #options = { name: "default", domain: "shop", settings: {}, folder: ".", clock: this.clock };
  readonly provider = new MemoryProvider(this.#options);
  readonly broker = new FragileBroker(this.#options);
  #n = 0;

  /** `onFailure` hears of defects. */
  processor(
    messagesPerTick = 10,
    onFailure: (error: Error) => void = () => {},
    work?: OutboxProcessorOptions["work"],
  ): OutboxProcessor {
    return new OutboxProcessor({
      ...(work && { work }),
      onFailure,
      provider: this.provider,
      broker: this.broker,
      owner: `host-1-${this.#n++}`,
      clock: this.clock,
      random: () => 0.5,
      settings: { messagesPerTick, maxTickIntervalSeconds: 1, retry },
    });
  }

  /** Commits `a1 a2 b1`, all in one unit of work; those of `p` are of a category of their own. */
  async commit(events: string, data = "{}"): Promise<void> {
    const outbox = events.split(" ").map((name): OutboxInsert => {
      const category = name.startsWith("p") ? "shop::parcel" : "shop::order";
      const stream = `${category}-${name.slice(0, 1)}`;
      const metadata = eventMetadata({
        id: name,
        time: 0,
        type: "Shop.OrderPlaced.v1",
        stream,
        category,
        checksum: null,
      });
      return {
        messageId: name,
        streamName: stream,
        type: "Shop.OrderPlaced.v1",
        data,
        metadata: JSON.stringify(metadata),
        correlationId: metadata.domain.correlation_id,
        causationId: metadata.domain.causation_id,
        targetBroker: "default",
        priority: 0,
        shard: shardOf(stream),
      };
    });
    await this.provider.session().commit({ rows: [], outbox, events: [] });
    await this.clock.advance(0);
  }

  ofStream(name: string): string[] {
    return this.broker.published.filter((id) => id.startsWith(name));
  }

  async counts(): Promise<string> {
    const { counts } = await this.provider.outbox.stats();
    return Object.entries(counts).filter(([, count]) => count > 0).map(([status, count]) =>
      `${status} ${count}`
    ).join(", ");
  }

  async close(...processors: OutboxProcessor[]): Promise<void> {
    const stopping = Promise.all(processors.map((processor) => processor.stop()));
    await this.clock.advance(100);
    await stopping;
    assertEquals(this.clock.pending, 0);
  }
}

/** Lets a test stand between the processors and their store. */
export function intercept(
  rig: OutboxRig,
  change: {
    readonly store?: Partial<OutboxStore>;
    readonly lease?: (lease: OutboxLease) => Partial<OutboxLease>;
  },
): void {
  const store = rig.provider.outbox;
  const methods = (of: OutboxLease): OutboxLease => ({
    get shards() {
      return of.shards;
    },
    assertHeld: () => of.assertHeld(),
    claim: (limit) => of.claim(limit),
    settle: (outcomes) => of.settle(outcomes),
    share: () => of.share(),
    nextDue: () => of.nextDue(),
    release: () => of.release(),
  });
  const given = store.lease.bind(store);
  Object.assign(store, change.store, {
    lease: async (options: Parameters<OutboxStore["lease"]>[0]) => {
      const lease = await given(options);
      return Object.assign(methods(lease), change.lease?.(lease));
    },
  });
}
