/**
 * Where the dead letters of a domain lie: beside every stream that its subscriptions read, on the broker that
 * they read it from (DLQ-4).
 *
 * @module
 */
import type { BaseBroker } from "../adapters/ports.ts";
import type { HandlerRunner } from "../domain/handler_port.ts";
import { brokerOf, MAIN_BROKER } from "../domain/places.ts";
import { type Lanes, lanesOf } from "../domain/lanes.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { NotSupportedError } from "../errors.ts";
import { deadLetterStream, discardedStream } from "../message/names.ts";
import type { StatusRuntime } from "../status/collect.ts";
import type { LetterQueue } from "./newest_first.ts";

/** One dead-letter stream. */
export interface LetterPlace extends LetterQueue {
  readonly broker: BaseBroker;
  /** The stream that its messages failed on. */
  readonly origin: string;
}

/** What a domain subscribes to. */
export interface Subscribed {
  readonly runners: readonly HandlerRunner[];
  readonly brokerOf: (runner: HandlerRunner) => BaseBroker;
  readonly lanes: Lanes | undefined;
  /** Whether a handler reads a category from the event store. @default none does */
  readonly readsEventStore?: StatusRuntime["readsEventStore"];
}

export function subscribed(runtime: DomainRuntime & Pick<StatusRuntime, "readsEventStore">): Subscribed {
  const { runners, readsEventStore } = runtime;
  return {
    runners,
    readsEventStore,
    brokerOf: (runner) => brokerOf(runtime, runner),
    lanes: lanesOf(runtime.config.config),
  };
}

/** The queues of these handlers, each once, in order of their keys; a broker that keeps none has none. */
export function placesOf({ brokerOf, lanes }: Subscribed, runners: readonly HandlerRunner[]): LetterPlace[] {
  const places = new Map<string, LetterPlace>();
  for (const runner of runners) {
    const broker = brokerOf(runner);
    if (!keepsDeadLetters(broker)) continue;
    for (const subscription of runner.categories) {
      const backfill = lanes?.backfillOf(runner, subscription);
      for (const origin of backfill === undefined ? [subscription] : [subscription, backfill]) {
        const key = broker.name === MAIN_BROKER ? origin : `${origin} of ${broker.name}`;
        const { deadLetters } = broker;
        places.set(key, { subscription, stream: deadLetterStream(origin), key, deadLetters, broker, origin });
      }
    }
  }
  return [...places.values()].sort((a, b) => a.key < b.key ? -1 : 1);
}

/** Whether it can: there are brokers of others that have no such streams. */
export function keepsDeadLetters(broker: BaseBroker): boolean {
  try {
    return broker.deadLetters !== undefined;
  } catch (error) {
    if (error instanceof NotSupportedError) return false;
    throw error;
  }
}

/** Where discarded letters of a queue lie. */
export function aside(place: LetterPlace): LetterPlace {
  return { ...place, stream: discardedStream(place.stream) };
}
