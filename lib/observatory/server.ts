/**
 * The observatory: a small server that shows a domain from outside of the processes that run it
 * (operations 10).
 *
 * @module
 */
import type { Clock } from "../async/clock.ts";
import { HealthServer, type Purpose } from "../health/server.ts";
import { type App, appOf } from "./app.ts";
import { guardOf } from "./guard.ts";
import { StoreMetrics } from "./metrics.ts";
import { responderOf } from "./responder.ts";
import { letterRoute, LETTERS_PATH, lettersRoute } from "./routes/dead_letters.ts";
import { healthRoute } from "./routes/health.ts";
import { METRICS, metricsRoute } from "./routes/metrics.ts";
import { outboxRoute } from "./routes/outbox.ts";
import { rollupsRoute } from "./routes/rollups.ts";
import type { RouteTable } from "./routes/route.ts";
import { subscriptionsRoute } from "./routes/subscriptions.ts";
import type { ObservatorySettings } from "./settings.ts";
import type { ObservatorySource } from "./source.ts";

const PURPOSE: Purpose = {
  name: "observatory",
  what: "the observatory",
  setting: "[observatory] host and port",
  taken: "OBSERVATORY_PORT_TAKEN",
};

export interface ObservatoryOptions {
  readonly source: ObservatorySource;
  readonly settings: ObservatorySettings;
  readonly clock: Clock;
  /** `postgresql` and the like, by the name of a database. */
  readonly databaseType: (name: string) => string;
}

/** Every resource. */
export function observatoryRoutes(
  { source, clock, databaseType }: Omit<ObservatoryOptions, "settings">,
): RouteTable {
  return new Map([
    [METRICS.path, metricsRoute(new StoreMetrics({ source, clock, databaseType }))],
    ["/api/health", healthRoute(source)],
    ["/api/subscriptions", subscriptionsRoute(source)],
    ["/api/outbox", outboxRoute(source)],
    ["/api/rollups", rollupsRoute(source, clock)],
    [LETTERS_PATH, lettersRoute(source)],
    [`${LETTERS_PATH}/`, letterRoute(source)],
  ]);
}

/** The same behind the guard. */
export function observatoryApp(options: ObservatoryOptions): App {
  return appOf(observatoryRoutes(options), guardOf(options.settings));
}

/**
 * The server; `start()` rejects with `ConfigurationError` and the code `OBSERVATORY_PORT_TAKEN` where it
 * cannot listen.
 */
export function observatory(options: ObservatoryOptions): HealthServer {
  const { settings: { host, port }, clock } = options;
  return new HealthServer({
    ...{ host, port, clock, required: true, purpose: PURPOSE },
    respond: responderOf(observatoryApp(options)),
  });
}
