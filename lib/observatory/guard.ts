/**
 * Who may ask (operations 10.5). Where a token is set everybody brings it, `/metrics` included. Where none
 * is, this machine alone can ask, and a page in its browser that calls itself by another name must not:
 * names can be made to point to 127.0.0.1.
 *
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { isLoopbackHost, type ObservatorySettings } from "./settings.ts";

/** Why somebody may not. */
export interface Refusal {
  readonly status: 401 | 403;
  readonly error: string;
}

/** Undefined: this request may be answered. */
export type Guard = (request: Request) => Refusal | undefined;

const NO_TOKEN: Refusal = { status: 401, error: "Unauthorized" };
const OTHER_NAME: Refusal = {
  status: 403,
  error: "Without a token the observatory answers to localhost alone: set [observatory] token.",
};

export function guardOf({ token, host }: Pick<ObservatorySettings, "token" | "host">): Guard {
  if (token === undefined) return (request) => isOwnName(request, host) ? undefined : OTHER_NAME;
  const wanted = digest(token);
  return (request) => {
    const [, given] = /^Bearer +([!-~]+) *$/i.exec(request.headers.get("authorization") ?? "") ?? [];
    // Of equal length whatever is given, so that the time says nothing.
    return given !== undefined && timingSafeEqual(digest(given), wanted) ? undefined : NO_TOKEN;
  };
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

/** Programs that name no host at all are no browsers. */
function isOwnName(request: Request, bound: string): boolean {
  const named = request.headers.get("host");
  if (named === null) return true;
  const host = named.replace(/:\d*$/, "").toLowerCase();
  return isLoopbackHost(host) || host.endsWith(".localhost") || host === bound.toLowerCase();
}
