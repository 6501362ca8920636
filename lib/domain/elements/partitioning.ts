/**
 * Which stream categories are parted, by which field, and the key of a message that is written to one
 * (wire 2.11).
 *
 * @module
 */
import { type ConfigurationProblem, ValidationError } from "../../errors.ts";
import { parseExact } from "../../message/exact_numbers.ts";
import { unfitKey } from "../../message/partitions.ts";
import type { Model } from "./model.ts";

/** By stream category: the payload field that its handlers name as `sequentialBy`. */
export type PartitionFields = ReadonlyMap<string, string>;

/** One field a category: of several handlers that name different ones, the first counts. */
export function partitionFields({ handlers }: Model): PartitionFields {
  const fields = new Map<string, string>();
  for (const { definition: { options }, categories } of handlers) {
    if (!options.sequentialBy) continue;
    for (const category of categories) {
      if (!fields.has(category)) fields.set(category, options.sequentialBy);
    }
  }
  return fields;
}

/** A category can be parted by one field only, since each of its messages is written to one stream. */
export function* partitionProblems({ handlers }: Model): Generator<ConfigurationProblem> {
  const first = new Map<string, { readonly name: string; readonly field: string }>();
  for (const { definition: { name, options: { sequentialBy: field } }, categories } of handlers) {
    if (!field) continue;
    for (const category of categories) {
      const other = first.get(category);
      if (!other) first.set(category, { name, field });
      else if (other.field !== field) {
        yield {
          code: "CONFIG_INVALID_VALUE",
          key: "sequentialBy",
          message:
            `${name} sets sequentialBy to '${field}' and ${other.name} to '${other.field}', but both read ` +
            `'${category}', whose messages are written to one stream a key: let both name the same field.`,
        };
      }
    }
  }
}

/**
 * The key of a message: the text of its field, a number as it is written, `True` or `False` as Python has
 * them. Throws `ValidationError` where the field is no such value or its text cannot be a key.
 *
 * @param data JSON text of the payload.
 * @param suffix `[server.priority_lanes] backfill_suffix`.
 */
export function partitionKey(field: string, type: string, data: string, suffix: string): string {
  const payload = parseExact(data) as Readonly<Record<string, unknown>>;
  const value = Object.hasOwn(payload, field) ? payload[field] : undefined;
  const key = keyText(value);
  const reason = key === undefined ? "must be a text, a number or a boolean" : unfitKey(key, suffix);
  if (key !== undefined && reason === undefined) return key;
  throw new ValidationError(
    `The data of ${type} cannot be put in order by '${field}' (sequentialBy): ${field}: ${reason}.`,
    [{ path: field, message: reason ?? "" }],
  );
}

function keyText(value: unknown): string | undefined {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
    case "bigint":
      return String(value);
    case "boolean":
      return value ? "True" : "False";
    default:
      return undefined;
  }
}
