/**
 * Between the listener, which knows heads of requests, and the application, which knows the web's requests.
 *
 * @module
 */
import type { RequestHead, Responder } from "../health/probe_http.ts";
import { pathOf } from "../health/routes.ts";
import type { App } from "./app.ts";
import { json } from "./routes/route.ts";

/** Paths and queries are all that counts of an address. */
const ANYWHERE = "http://observatory";

export function responderOf(app: App): Responder {
  return async (head) => {
    const request = requestOf(head);
    const response = request ? await app(request) : json({ error: "Bad Request" }, 400);
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: new Uint8Array(await response.arrayBuffer()),
    };
  };
}

/** Undefined: no request can be made of it. */
function requestOf({ method, target, fields }: RequestHead): Request | undefined {
  const path = pathOf(target);
  if (!path.startsWith("/")) return undefined;
  const query = /\?[^#]*/.exec(target)?.[0] ?? "";
  try {
    const headers = new Headers();
    for (const field of fields) {
      const colon = field.indexOf(":");
      headers.append(field.slice(0, colon), field.slice(colon + 1).trim());
    }
    return new Request(`${ANYWHERE}${path}${query}`, { method, headers });
  } catch {
    return undefined;
  }
}
