/**
 * A stream subscription on a memory broker, with a handler that the test scripts and time that the test
 * moves.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import type { HandlerRunner, RunOptions, Verdict } from "../../lib/domain/handler_port.ts";
import { encodeEvent } from "./encode_message.ts";
import { deadLetterStream, replayLane } from "../../lib/message/names.ts";
import type { Message } from "../../lib/message/types.ts";
import type { SubscriptionSettings } from "../../lib/subscription/settings/resolve.ts";
import {
  StreamSubscription,
  type StreamSubscriptionOptions,
} from "../../lib/subscription/stream_subscription.ts";
import { FlakyBroker } from "./flaky_broker.ts";

export const CATEGORY = "shop::order";

/** The text of an event of aggregate `id`, numbered `n`. */
export function eventText(id: string, n: number, type = "Shop.OrderPlaced.v1"): string {
  return encodeEvent({ type, category: CATEGORY, id, n, time: 0, data: { id, n } });
}

export interface Call {
  readonly id: string;
  readonly n: number;
  readonly options: RunOptions;
}

/** A handler whose work is `work`; it keeps a log of its calls and lets tests wait for them. */
export class ScriptedRunner implements HandlerRunner {
  readonly kind = "event_handler";
  readonly sharedGroup: boolean = false;
  readonly categories = [CATEGORY];
  readonly options = {};
  readonly group: string;
  readonly calls: Call[] = [];
  judge: (message: Message) => Verdict = () => ({ kind: "run", plan: undefined });

  constructor(public work: (call: Call) => unknown = () => {}, readonly name = "OrderEventHandler") {
    this.group = `shop.${name}`;
  }

  /** `a1 a2 b1`: aggregate and number of each call, in order of their start. */
  get log(): string {
    return this.calls.map(({ id, n }) => `${id}${n}`).join(" ");
  }

  async run(message: Message, _plan: unknown, options: RunOptions): Promise<"handled" | "duplicate"> {
    const call = { id: String(message.data["id"]), n: Number(message.data["n"]), options };
    this.calls.push(call);
    await this.work(call);
    return "handled";
  }
}

export const settings: SubscriptionSettings = {
  subscriptionType: "stream",
  profile: undefined,
  messagesPerTick: 10,
  tickIntervalSeconds: 0,
  blockingTimeoutMs: 1000,
  maxRetries: 3,
  retryDelaySeconds: 1,
  retryMaxDelaySeconds: 60,
  enableDlq: true,
  positionUpdateInterval: 10,
  // Tests of what becomes of messages let as many fail in a row as they like.
  circuitBreakerThreshold: 1_000_000,
  circuitBreakerResetSeconds: 60,
  retentionMaxlen: undefined,
  concurrency: 1,
  idempotent: false,
  claimIdleMs: 30_000,
  claimIntervalMs: 5_000,
  maxDeliveries: 5,
  dlqRetentionHours: 168,
  dlqAlertThreshold: 100,
  sequentialBy: undefined,
};

/** A message that fails is dead-lettered at once. */
export const ONE_ATTEMPT = { maxRetries: 1 } as const;

export class SubscriptionRig {
  readonly clock = new FakeClock();
  readonly broker: FlakyBroker;
  readonly #consumers = new Map<StreamSubscription, string>();

  /** `category`: what is published to and subscribed to. */
  constructor(readonly category = CATEGORY) {
    this.broker = new FlakyBroker({
      name: "default",
      domain: "shop",
      settings: {},
      folder: ".",
      clock: this.clock,
    });
  }

  subscribe(
    runner: HandlerRunner,
    { published, health, share, crowd, observer, backfill, ...change }:
      & Partial<SubscriptionSettings>
      & Pick<
        StreamSubscriptionOptions,
        "published" | "health" | "share" | "crowd" | "observer" | "backfill"
      > = {},
    onFailure: (error: Error) => void = () => {},
    random: () => number = () => 0.5,
  ): StreamSubscription {
    const consumer = `${runner.name}-host-1-${(this.#consumers.size + 1).toString(16).padStart(6, "0")}`;
    const subscription = new StreamSubscription({
      runner,
      category: this.category,
      broker: this.broker,
      settings: { ...settings, ...change },
      consumer,
      clock: this.clock,
      random,
      onFailure,
      backfill,
      ...(published && { published }),
      ...(health && { health }),
      ...(share && { share }),
      ...(crowd && { crowd }),
      ...(observer && { observer }),
    });
    this.#consumers.set(subscription, consumer);
    return subscription;
  }

  /**
   * Its process dies as it stands: nothing it asks of the broker is answered any more. Its handlers are the
   * test's to silence.
   */
  kill(subscription: StreamSubscription): void {
    this.broker.kill(this.#consumers.get(subscription) ?? "");
  }

  /** Publishes `a1 b1 a2`: aggregate and number. */
  async publish(events: string): Promise<void> {
    await this.send(
      ...events.split(" ").map((event) => eventText(event.slice(0, 1), Number(event.slice(1)))),
    );
  }

  async send(...texts: string[]): Promise<void> {
    await this.broker.publish(texts.map((data) => ({ stream: this.category, data })));
    await this.clock.advance(0);
  }

  async deadLetters(): Promise<Record<string, unknown>[]> {
    const entries = await this.broker.deadLetters.list(deadLetterStream(this.category), { limit: 1000 });
    return entries.map((entry) => JSON.parse(entry.data ?? "null"));
  }

  /**
   * A subscription that has dead-lettered all of `events`, and whose handler does its work once it is mended.
   */
  async deadLetter(events: string, change: Partial<SubscriptionSettings> = {}): Promise<{
    readonly runner: ScriptedRunner;
    readonly subscription: StreamSubscription;
    mend(): void;
  }> {
    let broken = true;
    const runner = new ScriptedRunner(() => {
      if (broken) throw new Error("bug");
    });
    const subscription = this.subscribe(runner, { ...ONE_ATTEMPT, ...change });
    await subscription.start();
    await this.publish(events);
    await this.clock.advance(10);
    assertEquals((await this.deadLetters()).length, events.split(" ").length);
    return { runner, subscription, mend: () => broken = false };
  }

  /** Moves every dead letter to the runner's replay lane, which is looked at every five seconds. */
  async replayAll(runner: HandlerRunner): Promise<void> {
    const { deadLetters } = this.broker;
    const queue = deadLetterStream(this.category);
    const lane = replayLane(this.category, runner.group);
    for (const { id } of await deadLetters.list(queue, { limit: 1000 })) {
      assert(await deadLetters.replay(queue, id, lane, runner.group));
    }
    assertEquals(await deadLetters.depth(queue), 0);
  }

  /** Entries pending in the runner's group, as `id count` pairs with their consumer's number. */
  pending(runner: HandlerRunner) {
    return this.broker.group({ stream: this.category, group: runner.group, consumer: "observer" }).pending({
      limit: 10_000,
    });
  }

  async close(...subscriptions: StreamSubscription[]): Promise<void> {
    const stopping = Promise.all(subscriptions.map((subscription) => subscription.stop()));
    await this.clock.advance(2000);
    await stopping;
    await this.broker.close();
  }
}
