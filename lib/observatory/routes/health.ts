/**
 * `GET /api/health` (wire 9.3): what the domain depends on, and whether a server runs it.
 *
 * @module
 */
import { MAIN_BROKER } from "../../domain/places.ts";
import type { HealthFigures, ObservatorySource } from "../source.ts";
import { reason } from "./failure.ts";
import { json, type Route } from "./route.ts";

/**
 * Always 200: what is away is in the body. `status` is `healthy`, `degraded` (something but the broker is
 * away) or `unhealthy`, in the words of the reference.
 */
export function healthRoute(source: ObservatorySource): Route {
  return async () => {
    const [health, server] = await Promise.all([source.health(), serverOf(source)]);
    const components = health.components.map(({ error, ...component }) => ({
      ...component,
      ...(error !== undefined && { error: reason(error) }),
    }));
    return json({
      status: statusOf(health),
      domains: [source.domain],
      infrastructure: { redis: health.redis, components },
      server,
    });
  };
}

function statusOf({ components }: HealthFigures): "healthy" | "degraded" | "unhealthy" {
  const away = components.filter(({ status }) => status !== "ok");
  if (away.some(({ kind, name }) => kind === "broker" && name === MAIN_BROKER)) return "unhealthy";
  return away.length > 0 ? "degraded" : "healthy";
}

/** `running` is null where nobody can tell. */
async function serverOf(source: ObservatorySource): Promise<unknown> {
  try {
    const { length } = await source.workers();
    return length > 0
      ? { running: true, workers: length }
      : { running: false, workers: 0, reason: `No server of '${source.domain}' has announced itself.` };
  } catch (error) {
    return { running: null, workers: null, reason: reason(error) };
  }
}
