/**
 * The probes over HTTP: from a request and what is in memory to a response. Nothing here waits (design 7).
 *
 * @module
 */
import {
  type Answer,
  applicationLiveness,
  applicationReadiness,
  engineLiveness,
  engineReadiness,
} from "./bodies.ts";
import type { HealthSnapshot } from "./types.ts";

/** Returns by path. */
export type Routes = ReadonlyMap<string, () => Answer>;

const NOT_FOUND: Answer = { status: 404, body: { error: "Not Found" } };
const METHOD_NOT_ALLOWED: Answer = { status: 405, body: { error: "Method Not Allowed" } };
/** Building the answer failed (S32). */
const BROKEN: Answer = { status: 503, body: { status: "degraded", checks: {} } };

/** The engine's probes. `liveness` says whether the event loop and every read loop keep turning. */
export function engineRoutes(liveness: () => boolean, snapshot: () => HealthSnapshot): Routes {
  const alive = () => engineLiveness(liveness());
  return new Map([["/healthz", alive], ["/livez", alive], ["/readyz", () => engineReadiness(snapshot())]]);
}

/** An application's probes, below `prefix`. */
export function applicationRoutes(snapshot: () => HealthSnapshot, prefix = ""): Routes {
  return new Map([
    [`${prefix}/healthz`, applicationLiveness],
    [`${prefix}/livez`, applicationLiveness],
    [`${prefix}/readyz`, () => applicationReadiness(snapshot())],
  ]);
}

/** Returns any request: 405 for a method other than GET and HEAD, 404 for an unknown path. Never throws. */
export function respond(request: Request, routes: Routes): Response {
  if (request.method !== "GET" && request.method !== "HEAD") return toResponse(request, METHOD_NOT_ALLOWED);
  const route = routes.get(new URL(request.url).pathname);
  if (!route) return toResponse(request, NOT_FOUND);
  try {
    return toResponse(request, route());
  } catch {
    return toResponse(request, BROKEN);
  }
}

/** The answer to a request that could not be handled at all. */
export function brokenResponse(): Response {
  return Response.json(BROKEN.body, { status: BROKEN.status, headers: { "cache-control": "no-store" } });
}

function toResponse(request: Request, answer: Answer): Response {
  const body = new TextEncoder().encode(JSON.stringify(answer.body));
  return new Response(request.method === "HEAD" ? null : body, {
    status: answer.status,
    headers: {
      "content-type": "application/json",
      "content-length": String(body.length),
      "cache-control": "no-store",
      ...(answer === METHOD_NOT_ALLOWED && { allow: "GET, HEAD" }),
    },
  });
}
