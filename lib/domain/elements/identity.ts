/**
 * Identities and names: what may identify an instance, and what an element may be called.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { IncorrectUsageError, ValidationError } from "../../errors.ts";
import { underscore } from "../../message/names.ts";

/** What elements know of the domain they are declared on. */
export interface DomainIdentity {
  /** As given: `my_domain`. */
  readonly name: string;
  /** Prefix of categories, tables and groups: `my_domain`. */
  readonly normalizedName: string;
  /** The domain's clock, epoch milliseconds. */
  now(): number;
  /** `[server] max_message_bytes`; its default while no configuration is loaded. */
  maxMessageBytes(): number;
}

/** A field's value as id text; undefined for what cannot identify anything: empty text, null, objects. */
export function identityText(value: unknown): string | undefined {
  if (typeof value === "string") return value === "" ? undefined : value;
  if (typeof value === "bigint" || (typeof value === "number" && Number.isFinite(value))) {
    return String(value);
  }
  return undefined;
}

/**
 * Longest id, in bytes of UTF-8: with the name of its stream before it, and a number behind it, it must find
 * room in an index of any database.
 */
const LONGEST_ID = 1024;

/**
 * Throws `ValidationError` for an id that is too long for the indexes of databases. `what` begins the
 * sentence: `The identity of Order`; `path` is the field's name, if it has one.
 */
export function assertIdLength(id: string, what: string, path = ""): void {
  // No character takes more than three bytes for each of its UTF-16 units.
  if (id.length * 3 <= LONGEST_ID) return;
  const bytes = byteLength(id);
  if (bytes <= LONGEST_ID) return;
  const message = `is ${bytes} bytes long, and ${LONGEST_ID} are the most: choose a shorter one`;
  throw new ValidationError(`${what} ${message}.`, [{ path, message }]);
}

/** The id as part of a key: one that is too long is told by its digest. */
export function boundedId(id: string): string {
  if (id.length * 3 <= LONGEST_ID || byteLength(id) <= LONGEST_ID) return id;
  return `sha256:${createHash("sha256").update(id).digest("hex")}`;
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/**
 * The id of the aggregate that a payload is about: the value of its field named like the aggregate's identity
 * (`id`), else of `<aggregate>Id` (`orderId`), else of `<aggregate>_id` (`order_id`). Undefined when it has
 * none of them.
 */
export function addressee(
  payload: Readonly<Record<string, unknown>>,
  aggregate: { readonly name: string; readonly identity: string },
): string | undefined {
  const { name, identity } = aggregate;
  const fields = [identity, `${name.charAt(0).toLowerCase()}${name.slice(1)}Id`, `${underscore(name)}_id`];
  for (const field of fields) {
    const id = Object.hasOwn(payload, field) ? identityText(payload[field]) : undefined;
    if (id !== undefined) return id;
  }
  return undefined;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Names become parts of type strings, tables, groups and consumers, where `-`, `.`, `:` and spaces have a
 * meaning.
 */
export function assertName(kind: string, name: string): void {
  if (typeof name === "string" && NAME.test(name)) return;
  throw new IncorrectUsageError(
    `A ${kind} cannot be called '${name}': use letters, digits and underscores, such as 'OrderPlaced'.`,
  );
}
