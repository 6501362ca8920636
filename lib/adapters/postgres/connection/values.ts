/**
 * How values cross the wire: as text, both ways. The driver's own conversions are switched off, because some
 * of them throw inside the driver, where the failure of one statement shifts the replies of those queued
 * behind it (delivery 13).
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { SqlValue } from "../../ports.ts";

/** A parameter as the driver sees it. */
export type TextValue = string | null;

/**
 * Text that PostgreSQL reads as `value`, whatever type the statement wants there; a bytea goes as hexadecimal
 * digits.
 */
export function textOf(value: SqlValue): TextValue {
  if (value === null) return null;
  return value instanceof Uint8Array ? `\\x${Buffer.from(value).toString("hex")}` : String(value);
}

/** A list as PostgreSQL writes arrays, to be cast to the type it is meant to have. */
export function arrayText(list: readonly (string | null)[]): string {
  let text = "{";
  for (const item of list) text += (text.length > 1 ? "," : "") + (item === null ? "NULL" : quotedItem(item));
  return text + "}";
}

/** What JSON writes as an escape, and an array does not. */
const ESCAPED = /[\p{Cc}\p{Cs}]/u;

/** Everything else JSON writes just so, and is faster at it. */
function quotedItem(item: string): string {
  return ESCAPED.test(item) ? `"${item.replace(/["\\]/g, "\\$&")}"` : JSON.stringify(item);
}

const same = (text: string): string => text;

/**
 * `2026-01-01 10:00:00.5+00` is `2026-01-01T10:00:00.5Z`; `infinity`, dates alone and years before Christ
 * stay as they are.
 */
function isoTime(text: string): string {
  const [, day, time, zone] = /^(\d{4,}-\d\d-\d\d) ([\d:.]+)(\+00)?$/.exec(text) ?? [];
  return day === undefined ? text : `${day}T${time}${zone ? "Z" : ""}`;
}

/** A number where a double holds it exactly, else a bigint. */
function integer(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}

/** A number, its fraction rounded as a double is; text where a double does not even hold the whole part. */
function decimal(text: string): number | string {
  const value = Number(text);
  return Number.isFinite(value) && Math.abs(value) > Number.MAX_SAFE_INTEGER ? text : value;
}

/** One group of types, as the driver wants it: object ids, and both directions. */
interface TypeRule<T> {
  readonly to: number;
  readonly from: number[];
  readonly serialize: (text: string) => string;
  readonly parse: (text: string) => T;
}

function rule<T>(types: readonly number[], parse: (text: string) => T): TypeRule<T> {
  return { to: types[0] ?? 0, from: [...types], serialize: same, parse };
}

/**
 * What columns become, as on SQLite where both have the type. `smallint`, `integer`, `oid`, `real`,
 * `double precision`: number. `bigint`: number, or bigint beyond 2^53. `numeric`: number, or text beyond
 * 2^53. `boolean`: boolean. `timestamp`, `timestamptz`: ISO 8601 text (time zone UTC); `date`: text. `bytea`:
 * Uint8Array. `json`, `jsonb` and everything else: PostgreSQL's own text.
 */
export const typeRules = {
  text: rule([25], same),
  number: rule([0, 21, 23, 26, 700, 701], Number),
  bigint: rule([20], integer),
  numeric: rule([1700], decimal),
  boolean: rule([16], (text) => text === "t"),
  time: rule([1184, 1114], isoTime),
  date: rule([1082], same),
  json: rule([114, 3802], same),
  bytea: rule([17], (text) => new Uint8Array(Buffer.from(text.slice(2), "hex"))),
};
