/**
 * Identities and names: what may identify an instance, and what an element may be called.
 *
 * @module
 */
import { IncorrectUsageError } from "../../errors.ts";
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
