/**
 * What no database of ours holds: U+0000, which ends a text in SQLite and is refused by PostgreSQL, and half
 * a surrogate pair, which UTF-8 does not have. Refused where a value comes in, by the name of its field, so
 * that a domain behaves alike on all of them.
 *
 * @module
 */
import type { MessageMetadata } from "./types.ts";

/** What is wrong with a text, as the rest of a sentence; undefined: it can be stored. */
export function unstorable(text: string): string | undefined {
  if (text.includes("\0")) return "has a NUL character, which no database can hold";
  return text.isWellFormed() ? undefined : "has half of a surrogate pair, which no database can hold";
}

/** What an escape of such a character begins with; JSON that has none has no such character. */
const ESCAPE = /\\u(?:0000|d[89a-f])/i;

/** Where JSON may hold such a character. */
interface Found {
  /** `items.0.name`; of a key, the object that has it. */
  readonly path: string;
  readonly reason: string;
}

/**
 * The first text or key in `root` that cannot be stored. `json`, its text, tells of most at once that there
 * is none.
 */
export function unstorableIn(root: unknown, json?: string): Found | undefined {
  if (json !== undefined && !(json.includes("\\u") && ESCAPE.test(json))) return undefined;
  // By a list, since JSON may be deep.
  const open: { readonly value: unknown; readonly path: string }[] = [{ value: root, path: "" }];
  for (let next = open.pop(); next; next = open.pop()) {
    const { value, path } = next;
    if (typeof value === "string") {
      const reason = unstorable(value);
      if (reason !== undefined) return { path, reason };
      continue;
    }
    if (typeof value !== "object" || value === null) continue;
    for (const [key, member] of Object.entries(value).reverse()) {
      const reason = unstorable(key);
      if (reason !== undefined) return { path, reason: `has a key that ${reason}` };
      open.push({ value: member, path: path === "" ? key : `${path}.${key}` });
    }
  }
  return undefined;
}

/** The first text of the metadata that would be stored with what a handler does, and cannot be. */
export function unstorableMetadata(metadata: MessageMetadata): Found | undefined {
  const { headers: { id, stream, idempotency_key, traceparent }, domain, extensions } = metadata;
  // One by one: to join them first costs more than all the looks.
  const isFine = isStorable(id) && isStorable(stream) && isStorable(idempotency_key) &&
    isStorable(domain.correlation_id) && isStorable(domain.origin_stream) &&
    (traceparent === null || (isStorable(traceparent.trace_id) && isStorable(traceparent.parent_id))) &&
    Object.keys(extensions).length === 0;
  return isFine ? undefined : unstorableIn(metadata);
}

function isStorable(text: string | null): boolean {
  return text === null || unstorable(text) === undefined;
}
