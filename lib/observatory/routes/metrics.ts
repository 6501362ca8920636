/**
 * `GET /metrics`: what can be seen from outside of the servers, as Prometheus reads it.
 *
 * @module
 */
import { metricsPlace } from "../../health/page.ts";
import type { StoreMetrics } from "../metrics.ts";
import type { Route } from "./route.ts";

export const METRICS = metricsPlace("/metrics");

/** Always 200: what is away has no series, but for `protean_broker_up`. */
export function metricsRoute(metrics: StoreMetrics): Route {
  return async () => new Response(await metrics.text(), { headers: { "content-type": METRICS.contentType } });
}
