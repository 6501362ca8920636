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
  // Known here before the engine says so.
  let asked = false;
  const alive = () => engineLiveness(!health.blocked);
  // What a blocked engine said last may be long over.
  const ready = () => {
    if (health.blocked) return alive();
    const snapshot = health.snapshot ?? NOTHING_KNOWN;
    return engineReadiness(asked ? { ...snapshot, draining: true } : snapshot);
  };
  return processRoutes(alive, ready, () => health.snapshot ?? NOTHING_KNOWN, () => {
    asked = true;
    drain();
  });
}

const NOTHING_KNOWN: HealthSnapshot = { shuttingDown: false, starting: true, components: [] };
