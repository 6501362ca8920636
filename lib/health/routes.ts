/**
 * The probes over HTTP: from a request and what is in memory to a response. Nothing here waits (design 7).
 *
 * @module
 */
import {
  type Answer,
  applicationLiveness,
  applicationReadiness,
  drainRequested,
  engineLiveness,
  engineReadiness,
  scaleAnswer,
} from "./bodies.ts";
import type { HealthSnapshot } from "./types.ts";

/** By path; what is asked for by POST has that before its path. */
export type Routes = ReadonlyMap<string, () => Answer>;

const NOT_FOUND: Answer = { status: 404, body: { error: "Not Found" } };
const METHOD_NOT_ALLOWED: Answer = { status: 405, body: { error: "Method Not Allowed" } };
const FORBIDDEN: Answer = { status: 403, body: { error: "Forbidden" } };
/** Building the answer failed (S32). */
const BROKEN: Answer = { status: 503, body: { status: "degraded", checks: {} } };

/**
 * The engine's probes. `liveness` says whether the event loop and every read loop keep turning; `drain` is
 * told to read nothing more.
 */
export function engineRoutes(
  liveness: () => boolean,
  snapshot: () => HealthSnapshot,
  drain?: () => void,
): Routes {
  return processRoutes(() => engineLiveness(liveness()), () => engineReadiness(snapshot()), snapshot, drain);
}

/** The same of whoever has a body of its own for the first. */
export function processRoutes(
  alive: () => Answer,
  ready: () => Answer,
  snapshot: () => HealthSnapshot,
  drain?: () => void,
): Routes {
  const drained = () => {
    drain?.();
    return drainRequested(Deno.pid);
  };
  return new Map([
    ["/healthz", alive],
    ["/livez", alive],
    ["/readyz", ready],
    ["/scale", () => scaleAnswer(snapshot())],
    ...drain ? [["POST /drainz", drained] as const] : [],
  ]);
}

/** An application's probes, below `prefix`. */
export function applicationRoutes(snapshot: () => HealthSnapshot, prefix = ""): Routes {
  return new Map([
    [`${prefix}/healthz`, applicationLiveness],
    [`${prefix}/livez`, applicationLiveness],
    [`${prefix}/readyz`, () => applicationReadiness(snapshot())],
  ]);
}

/**
 * Answers any request: 405 for a method other than GET and HEAD, 404 for an unknown path. What is asked for
 * by POST changes something: 403 unless `local`. Never throws.
 */
export function answerTo(method: string, target: string, routes: Routes, local = false): Answer {
  const path = pathOf(target);
  const posted = method === "POST" ? routes.get(`POST ${path}`) : undefined;
  if (posted && !local) return FORBIDDEN;
  if (!posted && method !== "GET" && method !== "HEAD") return METHOD_NOT_ALLOWED;
  const route = posted ?? routes.get(path);
  if (!route) return NOT_FOUND;
  try {
    return route();
  } catch {
    return BROKEN;
  }
}

/** The path that a request is for, taken by hand: its Host need not be one (L6, `sec-probe-host`). */
export function pathOf(target: string): string {
  return target.replace(/^[a-z][a-z0-9+.-]{0,30}:\/\/[^/?#]*/i, "").replace(/[?#].*$/s, "");
}

/** The body of an answer and its headers, in any server's form. */
export function rendered(
  answer: Answer,
): { readonly body: Uint8Array; readonly headers: Record<string, string> } {
  const body = new TextEncoder().encode(JSON.stringify(answer.body));
  return {
    body,
    headers: {
      "content-type": "application/json",
      "content-length": String(body.length),
      "cache-control": "no-store",
      ...(answer === METHOD_NOT_ALLOWED && { allow: "GET, HEAD" }),
    },
  };
}

/** The same for a server that speaks in requests and responses. Never throws. */
export function respond(request: Request, routes: Routes): Response {
  const answer = answerTo(request.method, request.url, routes);
  const { body, headers } = rendered(answer);
  return new Response(request.method === "HEAD" ? null : new Uint8Array(body), {
    status: answer.status,
    headers,
  });
}
