/**
 * `GET /api/outbox` (wire 9.3): how many rows are in which state.
 *
 * @module
 */
import type { ObservatorySource } from "../source.ts";
import { reason } from "./failure.ts";
import { json, type Route } from "./route.ts";

/** By domain; 200 also where its database is away, for others may answer. */
export function outboxRoute(source: ObservatorySource): Route {
  return async () => {
    const answer = await source.outbox().then(
      (counts) => ({ status: "ok", counts }),
      (error) => ({ status: "error", error: reason(error) }),
    );
    return json({ [source.domain]: answer });
  };
}
