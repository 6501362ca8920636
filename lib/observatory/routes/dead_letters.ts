/**
 * `GET /api/dlq` and `GET /api/dlq/{id}` (wire 9.3): messages that were given up.
 *
 * @module
 */
import { letterJson, letterPayload } from "../../dlq/letter_json.ts";
import type { QueuedLetter } from "../../dlq/queues.ts";
import type { ObservatorySource } from "../source.ts";
import { BadRequestError } from "./failure.ts";
import { json, type Route } from "./route.ts";

const MOST = 200;
const USUAL = 100;
/** So far back by number; older ones are found by id, or with `protean-server dlq`. */
const FARTHEST = 10_000;
/** Looks at queues at the same time. */
const MOST_LOOKS = 8;

export const LETTERS_PATH = "/api/dlq";

/**
 * The newest first, without payloads: `?subscription` (a stream category), `?limit` (at most 200; 100 where
 * absent), `?offset` (at most 10,000).
 */
export function lettersRoute(source: ObservatorySource): Route {
  let looks = 0;
  return async (request) => {
    const { searchParams } = new URL(request.url);
    const query = {
      subscription: searchParams.get("subscription") || undefined,
      limit: whole(searchParams, "limit", USUAL, 1, MOST),
      offset: whole(searchParams, "offset", 0, 0, FARTHEST),
    };
    if (looks >= MOST_LOOKS) return json({ error: "Too Many Requests" }, 429);
    looks++;
    try {
      const { entries, total } = await source.letters(query);
      return json({ entries: entries.map(listed), total_count: total });
    } finally {
      looks--;
    }
  };
}

/** One letter with its payload. `?subscription` where several queues hold that id. */
export function letterRoute(source: ObservatorySource): Route {
  return async (request) => {
    const { pathname, searchParams } = new URL(request.url);
    const id = decoded(pathname.slice(LETTERS_PATH.length + 1));
    const found = await source.letter(id, searchParams.get("subscription") || undefined);
    return json({ ...letterJson(found), payload: letterPayload(found) });
  };
}

/** What a list needs: texts of errors beyond their line are with the letter. */
function listed(letter: QueuedLetter): Record<string, unknown> {
  const { error_stack: _stack, error_message: _message, ...facts } = letterJson(letter);
  return facts;
}

function whole(params: URLSearchParams, name: string, usual: number, least: number, most: number): number {
  const text = params.get(name);
  if (text === null) return usual;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw new BadRequestError(`'${name}' must be a whole number from ${least} to ${most}.`);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new BadRequestError("The path is not well encoded.");
  }
}
