/**
 * The observatory as one function from a request to a response: who may ask, which resource, what went
 * wrong. Everything is read-only.
 *
 * @module
 */
import type { Guard } from "./guard.ts";
import { failureAnswer } from "./routes/failure.ts";
import { json, type RouteTable } from "./routes/route.ts";

/** Never rejects. */
export type App = (request: Request) => Promise<Response>;

/** On every answer: nothing of it is kept, framed, run or read by another site. */
const SAFE: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

export function appOf(routes: RouteTable, guard: Guard): App {
  return async (request) => {
    const response = await answer(request, routes, guard);
    for (const [name, value] of Object.entries(SAFE)) response.headers.set(name, value);
    return response;
  };
}

async function answer(request: Request, routes: RouteTable, guard: Guard): Promise<Response> {
  const refusal = guard(request);
  if (refusal) {
    const response = json({ error: refusal.error }, refusal.status);
    if (refusal.status === 401) response.headers.set("www-authenticate", "Bearer");
    return response;
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    const response = json({ error: "Method Not Allowed" }, 405);
    response.headers.set("allow", "GET, HEAD");
    return response;
  }
  const { pathname } = new URL(request.url);
  const above = pathname.slice(0, pathname.lastIndexOf("/") + 1);
  const route = pathname === above ? undefined : routes.get(pathname) ?? routes.get(above);
  if (!route) return json({ error: "Not Found" }, 404);
  try {
    return await route(request);
  } catch (error) {
    return failureAnswer(error);
  }
}
