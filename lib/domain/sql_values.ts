/**
 * What may stand in `ctx.sql`: every value is turned into one that any driver takes, before a driver sees it
 * (delivery 13: a parameter that fails in the driver can shift the replies of a pipeline).
 *
 * @module
 */
import type { SqlValue } from "../adapters/ports.ts";
import { asError, IncorrectUsageError } from "../errors.ts";

/** Throws `IncorrectUsageError` for what no column can hold. `place` counts from 1. */
export function sqlValue(value: unknown, place: number): SqlValue {
  switch (typeof value) {
    case "string":
    case "bigint":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : refuse(place, `is ${value}`);
    case "object":
      return value === null || value instanceof Uint8Array ? value : objectValue(value, place);
    default:
      return refuse(place, value === undefined ? "is undefined: use null" : `is a ${typeof value}`);
  }
}

function objectValue(value: object, place: number): SqlValue {
  if (value instanceof Date) {
    return Number.isNaN(value.getTime()) ? refuse(place, "is an invalid date") : value.toISOString();
  }
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    refuse(place, `cannot be written as JSON (${asError(cause).message.split("\n", 1)[0]})`, cause);
  }
  return text ?? refuse(place, "cannot be written as JSON");
}

function refuse(place: number, reason: string, cause?: unknown): never {
  throw new IncorrectUsageError(`Value ${place} of a ctx.sql statement ${reason}.`, { cause });
}
