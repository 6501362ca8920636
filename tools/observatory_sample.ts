/**
 * A domain as the observatory may see it, for the bodies that the reference shows.
 *
 * @module
 */
import type { QueuedLetter } from "../lib/dlq/queues.ts";
import type { ObservatorySource } from "../lib/observatory/source.ts";
import type { Worker } from "../lib/observatory/workers.ts";
import { NO_EVENT_STORE, type StatusRow } from "../lib/status/row.ts";

const CATEGORY = "my_domain::order";

const row: StatusRow = {
  ...{ name: "OrderEventHandler-my_domain::order", handler_name: "OrderEventHandler" },
  ...{ subscription_type: "stream", stream_category: CATEGORY, lag: 3, pending: 1 },
  ...{ current_position: "1795366396703-0", head_position: 120, status: "lagging", consumer_count: 1 },
  ...{ dlq_depth: 1, returning: 0, lag_seconds: 0.4, oldest_pending_seconds: 0.1, breaker: null },
  ...NO_EVENT_STORE,
};

const worker: Worker = {
  ...{ id: "host-4711-a1b2", ageMs: 2_000, started: 1_795_366_000_000, loopDelayMs: 3 },
  subscriptions: [{
    ...{ handler: "OrderEventHandler", category: CATEGORY, paused: false, inFlight: 1, retrying: 0 },
    ...{ lastPollAgeMs: 40, breaker: "closed" },
  }],
  pools: [{ name: "default", size: 5, checkedOut: 2, overflow: 0, checkedIn: 3 }],
};

const letter: QueuedLetter = {
  ...{ id: "1795366396703-0", queue: `${CATEGORY}:dlq`, subscription: CATEGORY },
  letter: {
    ...{
      originalStream: CATEGORY,
      originalId: "1795366390000-0",
      consumerGroup: "my_domain.OrderEventHandler",
    },
    ...{ consumer: "OrderEventHandler-host-4711-a1b2", handler: "OrderEventHandler" },
    ...{ failedAt: "2026-11-28T12:00:00.000Z", firstFailedAt: "2026-11-28T11:59:00.000Z" },
    ...{ retryCount: 3, replayCount: 0, failureReason: "Error: no", errorType: "Error", errorMessage: "no" },
    ...{ errorStack: "Error: no\n    at …", messageId: "my_domain::order-o-1-0.1" },
    ...{ messageType: "MyDomain.OrderPlaced.v1", correlationId: "5d6e", message: undefined },
    text: '{"data":{"orderId":"o-1","amount":10}}',
  },
};

/** Everything answers. */
export const SAMPLE: ObservatorySource = {
  domain: "my_domain",
  health: () =>
    Promise.resolve({
      components: [{ kind: "provider", name: "default", status: "ok" }, {
        kind: "broker",
        name: "default",
        status: "ok",
      }],
      redis: {
        ...{ healthy: true, version: "7.2.4", connected_clients: 12, memory: "1.05M", uptime_seconds: 3600 },
        ops_per_sec: 800,
      },
    }),
  rows: () => Promise.resolve({ value: [row], reasons: [] }),
  outbox: () => Promise.resolve({ pending: 1, processing: 0, published: 120, failed: 0, abandoned: 0 }),
  workers: () => Promise.resolve([worker]),
  queues: () =>
    Promise.resolve({ value: [{ stream: `${CATEGORY}:dlq`, depth: 1, oldestAgeMs: 60_000 }], reasons: [] }),
  rollups: (subscription, from) =>
    Promise.resolve([{
      ...{ subscription, minute: from },
      figures: {
        ...{ handled: 120, failed: 2, retried: 2, dead: 1, duration_sum_ms: 540, duration_max_ms: 31 },
        ...{ critical_sum_ms: 2_400, critical_max_ms: 400 },
      },
      buckets: [80, 38, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0],
    }]),
  letters: () => Promise.resolve({ entries: [letter], total: 1 }),
  letter: () => Promise.resolve(letter),
};
