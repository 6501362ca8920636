/**
 * Idempotency marks in SQL: taken, and looked for (delivery 10, 13, 25).
 *
 * @module
 */
import { compareCodePoints } from "../../../message/json_format.ts";
import type { Mark } from "../../ports.ts";
import type { Row } from "../connection/connection.ts";
import type { Names } from "../connection/names.ts";
import type { Planned } from "../connection/statement.ts";
import { arrayText } from "../connection/values.ts";
import { allOf } from "./row_writes.ts";

/** A mark's key. */
export function markKey({ handler, type, messageId }: Mark): string {
  return `m\0${handler}\0${type}\0${messageId}`;
}

/** Whose marks are taken already, for all of `marks` at once. */
export function markLook(names: Names, marks: readonly Mark[]): Planned {
  return {
    text:
      `select p.handler, p.type, p.message_id, p.checksum from unnest($1::text[], $2::text[], $3::text[]) ` +
      `as g (handler, type, message_id) join ${names.processed} as p ` +
      "on p.handler = g.handler and p.type = g.type and p.message_id = g.message_id",
    values: [
      arrayText(marks.map(({ handler }) => handler)),
      arrayText(marks.map(({ type }) => type)),
      arrayText(marks.map(({ messageId }) => messageId)),
    ],
    doing: marks.length === 1
      ? `looking for the mark of message '${marks[0]?.messageId}'`
      : `looking for the marks of ${marks.length} messages`,
  };
}

/** The checksums that `markLook` has found, by the keys of their marks. */
export function markRows(rows: readonly Row[]): ReadonlyMap<string, unknown> {
  return new Map(rows.map(({ handler, type, message_id, checksum }) => [
    markKey({ handler: String(handler), type: String(type), messageId: String(message_id) }),
    checksum,
  ]));
}

/** Takes all of them; divides by zero where one is taken. A concurrent duplicate waits. */
export function markInsertion(names: Names, marks: readonly Mark[]): Planned {
  const sorted = marks.length < 2
    ? marks
    : marks.toSorted((a, b) =>
      compareCodePoints(a.handler, b.handler) || compareCodePoints(a.type, b.type) ||
      compareCodePoints(a.messageId, b.messageId)
    );
  return {
    // The time is the server's: by that of a process that is behind, a mark would be old at birth.
    text: allOf(
      `insert into ${names.processed} (handler, type, message_id, checksum, processed_at) ` +
        "select handler, type, message_id, checksum, clock_timestamp() " +
        "from unnest($2::text[], $3::text[], $4::text[], $5::text[]) as g (handler, type, message_id, checksum) " +
        "on conflict do nothing",
    ),
    values: [
      String(sorted.length),
      arrayText(sorted.map(({ handler }) => handler)),
      arrayText(sorted.map(({ type }) => type)),
      arrayText(sorted.map(({ messageId }) => messageId)),
      arrayText(sorted.map(({ checksum }) => checksum ?? null)),
    ],
    doing: `marking ${sorted.length} messages`,
  };
}
