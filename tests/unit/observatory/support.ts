/** A domain whose figures tests choose. */
import type { OutboxStatus, Rollup } from "../../../lib/adapters/ports.ts";
import type { QueuedLetter } from "../../../lib/dlq/queues.ts";
import type {
  Found,
  HealthFigures,
  LetterList,
  LetterQuery,
  ObservatorySource,
  QueueFigures,
} from "../../../lib/observatory/source.ts";
import { NO_EVENT_STORE, type StatusRow } from "../../../lib/status/row.ts";
import type { Worker } from "../../../lib/observatory/workers.ts";

export const row = (over: Partial<StatusRow> = {}): StatusRow => ({
  name: "shop.Notes",
  handler_name: "Notes",
  subscription_type: "stream",
  stream_category: "shop::order",
  lag: 0,
  pending: 0,
  current_position: "5-0",
  head_position: 5,
  status: "ok",
  consumer_count: 1,
  dlq_depth: 2,
  returning: 0,
  lag_seconds: 0,
  oldest_pending_seconds: 0,
  breaker: null,
  ...NO_EVENT_STORE,
  ...over,
});

export const worker = (over: Partial<Worker> = {}): Worker => ({
  id: "host-1-abc",
  ageMs: 2_000,
  started: 1_000,
  loopDelayMs: 3,
  subscriptions: [{
    handler: "Notes",
    category: "shop::order",
    paused: false,
    inFlight: 2,
    retrying: 1,
    lastPollAgeMs: 40,
    breaker: "closed",
  }],
  pools: [{ name: "default", size: 5, checkedOut: 2, overflow: 0, checkedIn: 3 }],
  ...over,
});

export const letter = (id = "7-0"): QueuedLetter => ({
  id,
  queue: "shop::order:dlq",
  subscription: "shop::order",
  letter: {
    originalStream: "shop::order",
    originalId: "5-0",
    consumerGroup: "shop.Notes",
    consumer: "Notes-host-1-abc",
    handler: "Notes",
    failedAt: "2026-11-28T12:00:00.000Z",
    firstFailedAt: "2026-11-28T11:59:00.000Z",
    retryCount: 3,
    replayCount: 0,
    failureReason: "Error: no",
    errorType: "Error",
    errorMessage: "no",
    errorStack: "Error: no\n    at here",
    messageId: "m1",
    messageType: "Shop.OrderPlaced.v1",
    correlationId: "c1",
    message: undefined,
    text: '{"data":{"id":12345678901234567890}}',
  },
});

/** Everything answers, unless a test says otherwise. */
export class FakeSource implements ObservatorySource {
  readonly domain = "shop";
  healthFigures: HealthFigures | Error = {
    components: [{ kind: "provider", name: "default", status: "ok" }, {
      kind: "broker",
      name: "default",
      status: "ok",
    }],
    redis: null,
  };
  found: Found<readonly StatusRow[]> | Error = { value: [row()], reasons: [] };
  counts: Readonly<Record<OutboxStatus, number>> | Error = {
    ...{ pending: 1, processing: 2, published: 3, failed: 4, abandoned: 5 },
  };
  there: readonly Worker[] | Error = [worker()];
  depths: Found<readonly QueueFigures[]> | Error = {
    value: [{ stream: "shop::order:dlq", depth: 2, oldestAgeMs: 60_000 }],
    reasons: [],
  };
  list: LetterList | Error = { entries: [letter()], total: 1 };
  readonly asked: LetterQuery[] = [];

  minutes: readonly Rollup[] | Error = [];

  rollups = (_subscription: string, from: number, to: number) =>
    told(
      this.minutes instanceof Error
        ? this.minutes
        : this.minutes.filter(({ minute }) => minute >= from && minute < to),
    );
  health = () => told(this.healthFigures);
  rows = () => told(this.found);
  outbox = () => told(this.counts);
  workers = () => told(this.there);
  queues = () => told(this.depths);
  letters = (query: LetterQuery) => {
    this.asked.push(query);
    return told(this.list);
  };
  letter = (id: string, _subscription: string | undefined) =>
    told(this.list instanceof Error ? this.list : letter(id));
}

function told<T>(value: T | Error): Promise<T> {
  return value instanceof Error ? Promise.reject(value) : Promise.resolve(value);
}
