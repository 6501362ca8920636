/**
 * The instruments at work: made once from the catalogue, told by the observer's calls. Attributes are prepared
 * by subject, so that a message costs a few additions.
 *
 * @module
 */
import type { Attributes } from "@opentelemetry/api";
import { decisionOf } from "../../domain/decision.ts";
import type { HandlerKind } from "../../domain/handler_port.ts";
import type {
  AlertObserver,
  BreakerState,
  CheckObserver,
  DeadLetterEvent,
  DeadLetterObserver,
  DeliveryEvent,
  DeliveryObserver,
  ProcessorFacts,
  PublishObserver,
  SubscriptionFacts,
} from "../../domain/observer.ts";
import { errorType } from "../../message/describe_error.ts";
import type { Clock } from "../../async/clock.ts";
import { categoryOf } from "../../message/names.ts";
import { COUNTS, EVENTS, type Instrument, LONG_SECONDS, SECONDS } from "./catalogue.ts";
import type { Counter, Histogram, Tallies } from "./tallies.ts";

/** Command types and exceptions counted apart; then they are `other` (TEL-1). */
const MOST_NAMES = 200;

type Instruments = {
  readonly [K in keyof typeof EVENTS]: (typeof EVENTS)[K] extends { readonly kind: "counter" } ? Counter
    : Histogram;
};

export interface MetricsOptions {
  readonly tallies: Tallies;
  /** The one that rows are written by. */
  readonly clock: Clock;
  /** `[telemetry] semconv`. */
  readonly semconv: boolean;
  /** `messaging.system` of a broker, by its name. */
  readonly systemOf: (broker: string) => string;
}

export class Metrics {
  readonly #instruments: Instruments;
  readonly #options: MetricsOptions;
  readonly #handlers = new Map<string, { readonly ok: Attributes; readonly error: Attributes }>();
  readonly #names = new Map<string, Set<string>>();

  constructor(options: MetricsOptions) {
    this.#options = options;
    this.#instruments = Object.fromEntries(
      Object.entries(EVENTS).map(([key, instrument]) => [key, made(options.tallies, instrument)]),
    ) as Instruments;
  }

  subscription({ handler, category, group }: SubscriptionFacts): DeliveryObserver {
    const { processed, processingDuration, criticalTime, deliveries, breaker, declined, ...rest } =
      this.#instruments;
    const { commandsExpired } = rest;
    const attributes = { subscription: handler, handler, stream: category };
    const [ok, failed] = ["ok", "error"].map((status) => ({ ...attributes, status }));
    const outcomes = new Map<DeliveryEvent, Attributes>();
    const semconv = this.#semconv({ category, group });
    const beside: Partial<Record<DeliveryEvent, Counter>> = {
      retried: rest.retries,
      deadLettered: rest.deadLettered,
    };
    return {
      happened: (event, count) => {
        let outcome = outcomes.get(event);
        if (!outcome) outcomes.set(event, outcome = { ...attributes, outcome: snake(event) });
        deliveries.add(count, outcome);
        beside[event]?.add(count, attributes);
      },
      ran: (ms, error) => {
        // Of a message that waits because its handler says so nothing has become yet.
        const kind = error && decisionOf(error)?.kind;
        if (kind !== "retry_after") processed.add(1, error && kind !== "discard" ? failed : ok);
        processingDuration.record(ms / 1000, attributes);
        semconv?.(ms, error);
      },
      settled: (ageMs) => criticalTime.record(Math.max(0, ageMs) / 1000, attributes),
      expired: (type) => commandsExpired.add(1, { command_type: this.#bounded("command", type) }),
      declined: (reason) => declined.add(1, { ...attributes, reason }),
      breaker: (state: BreakerState) => breaker.add(1, { subscription: handler, handler, state }),
    };
  }

  processor({ broker }: ProcessorFacts): PublishObserver {
    const { published, publishFailed, outboxLatency, sent } = this.#instruments;
    const { semconv, systemOf, clock } = this.#options;
    const system = { "messaging.system": systemOf(broker), "messaging.operation.name": "publish" };
    return {
      happened: (event, count) => (event === "published" ? published : publishFailed).add(count),
      batch: (rows) => {
        const now = clock.now();
        for (const { createdAt, streamName } of rows) {
          outboxLatency.record(Math.max(0, now - createdAt) / 1000);
          if (semconv) sent.add(1, { ...system, "messaging.destination.name": categoryOf(streamName) });
        }
      },
    };
  }

  deadLetters(dlqStream: string): DeadLetterObserver {
    const { dlqTrimmed, dlqAlerts } = this.#instruments;
    const counters: Record<DeadLetterEvent, Counter> = { trimmed: dlqTrimmed, alerts: dlqAlerts };
    const attributes = { dlq_stream: dlqStream };
    return { happened: (event, count) => counters[event].add(count, attributes) };
  }

  alerts(): AlertObserver {
    const { alertsTold, alertsFailed } = this.#instruments;
    return {
      told: (rule, state) => alertsTold.add(1, { rule, state }),
      failed: (channel) => alertsFailed.add(1, { channel }),
    };
  }

  check(check: string): CheckObserver {
    const { checkDuration } = this.#instruments;
    const [ok, error] = ["ok", "error"].map((status) => ({ check, status }));
    return { ran: (ms, passed) => checkDuration.record(ms / 1000, passed ? ok : error) };
  }

  /** A handler has run for so many milliseconds. */
  handled(handler: string, kind: HandlerKind, ms: number, error: Error | undefined): void {
    let attributes = this.#handlers.get(handler);
    if (!attributes) {
      const base = { handler_name: handler, handler_type: kind.toUpperCase() };
      this.#handlers.set(
        handler,
        attributes = { ok: { ...base, status: "ok" }, error: { ...base, status: "error" } },
      );
    }
    const { handlerInvocations, handlerDuration } = this.#instruments;
    const own = error ? attributes.error : attributes.ok;
    handlerInvocations.add(1, own);
    handlerDuration.record(ms / 1000, own);
  }

  repeated(handler: string, error: Error): void {
    const handler_type = this.#handlers.get(handler)?.ok["handler_type"] ?? "unknown";
    const exception = this.#bounded("exception", errorType(error));
    this.#instruments.handlerRetried.add(1, { handler_name: handler, handler_type, exception });
  }

  committed(messages: number): void {
    this.#instruments.commits.add(1);
    this.#instruments.eventsPerCommit.record(messages);
  }

  command(type: string, status: "ok" | "error" | "enqueued", ms: number): void {
    const attributes = { command_type: this.#bounded("command", type), status };
    this.#instruments.commands.add(1, attributes);
    this.#instruments.commandDuration.record(ms / 1000, attributes);
  }

  /** Undefined unless the semantic conventions are asked for. */
  #semconv(
    { category, group }: Pick<SubscriptionFacts, "category" | "group">,
  ): ((ms: number, error: Error | undefined) => void) | undefined {
    const { semconv, systemOf } = this.#options;
    if (!semconv) return undefined;
    const { consumed, processDuration } = this.#instruments;
    const attributes = {
      "messaging.system": systemOf("default"),
      "messaging.operation.name": "process",
      "messaging.destination.name": category,
      "messaging.consumer.group.name": group,
    };
    return (ms, error) => {
      const own = error
        ? { ...attributes, "error.type": this.#bounded("exception", errorType(error)) }
        : attributes;
      consumed.add(1, own);
      processDuration.record(ms / 1000, own);
    };
  }

  #bounded(what: string, name: string): string {
    let known = this.#names.get(what);
    if (!known) this.#names.set(what, known = new Set());
    if (known.has(name)) return name;
    if (known.size >= MOST_NAMES) return "other";
    known.add(name);
    return name;
  }
}

function made(tallies: Tallies, instrument: Instrument): Counter | Histogram {
  const { kind, name, unit } = instrument;
  if (kind === "counter") return tallies.counter(instrument);
  const boundaries = unit !== "s" ? COUNTS : name.endsWith("critical_time") ? LONG_SECONDS : SECONDS;
  return tallies.histogram(instrument, boundaries);
}

function snake(event: string): string {
  return event.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
