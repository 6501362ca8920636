/**
 * The probes of an engine in another thread, from what it has reported.
 *
 * @module
 */
import { engineLiveness, engineReadiness } from "./bodies.ts";
import type { ReportedHealth } from "./report.ts";
import { processRoutes, type Routes } from "./routes.ts";
import type { HealthSnapshot } from "./types.ts";

/** The engine's probes from what it has reported elsewhere. */
export function reportedRoutes(health: ReportedHealth, drain: () => void): Routes {
  const alive = () => engineLiveness(!health.blocked);
  // What a blocked engine said last may be long over.
  const ready = () => health.blocked ? alive() : engineReadiness(health.snapshot ?? NOTHING_KNOWN);
  return processRoutes(alive, ready, drain);
}

const NOTHING_KNOWN: HealthSnapshot = { shuttingDown: false, starting: true, components: [] };
