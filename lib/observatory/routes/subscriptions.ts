/**
 * `GET /api/subscriptions` (wire 9.3, 8.7): how far each handler and outbox is.
 *
 * @module
 */
import type { StatusRow } from "../../status/row.ts";
import type { Found, ObservatorySource } from "../source.ts";
import { subscriptionKey, type Together, togetherOf } from "../workers.ts";
import { reason } from "./failure.ts";
import { json, type Route } from "./route.ts";

/**
 * By domain; 200 also where nothing of it answers. A figure that could not be had is null, and `errors`
 * says why.
 */
export function subscriptionsRoute(source: ObservatorySource): Route {
  return async () => {
    try {
      const [rows, workers] = await Promise.all([source.rows(), told(source)]);
      return json({ [source.domain]: found(rows, workers) });
    } catch (error) {
      return json({ [source.domain]: { status: "error", error: reason(error) } });
    }
  };
}

/** What workers say is known to them alone; without them the rest still is. */
async function told(source: ObservatorySource): Promise<ReadonlyMap<string, Together>> {
  return await source.workers().then(togetherOf, () => new Map());
}

function found(
  { value: rows, reasons }: Found<readonly StatusRow[]>,
  workers: ReadonlyMap<string, Together>,
): unknown {
  const subscriptions = rows.map((row) => {
    const own = workers.get(subscriptionKey(row.handler_name, row.stream_category));
    if (!own) return row;
    const { breaker, inFlight, retrying, paused } = own;
    return {
      ...row,
      breaker: breaker ?? row.breaker,
      workers: { running: own.workers, in_flight: inFlight, retrying, paused },
    };
  });
  return {
    status: "ok",
    subscriptions,
    summary: summaryOf(rows),
    ...(reasons.length > 0 && { errors: reasons.map(reason) }),
  };
}

function summaryOf(rows: readonly StatusRow[]): Record<string, number> {
  const count = (wanted: StatusRow["status"]) => rows.filter(({ status }) => status === wanted).length;
  const sum = (figures: Iterable<number | null>) => [...figures].reduce<number>((a, b) => a + (b ?? 0), 0);
  // Handlers of one category fail into one queue, which each of their rows tells.
  const queues = new Map<string, number | null>();
  for (const { subscription_type, stream_category, dlq_depth } of rows) {
    if (subscription_type !== "outbox") queues.set(`${subscription_type} ${stream_category}`, dlq_depth);
  }
  return {
    total: rows.length,
    ok: count("ok"),
    lagging: count("lagging"),
    unknown: count("unknown"),
    total_lag: sum(rows.map(({ lag }) => lag)),
    total_pending: sum(rows.map(({ pending }) => pending)),
    total_dlq: sum(queues.values()),
  };
}
