/**
 * Idempotency marks of many messages, claimed in one statement (delivery 13).
 *
 * @module
 */
import { isOtherMessage, type Mark, type MarkOutcome } from "../../ports.ts";
import type { Names } from "../connection/names.ts";
import type { Planned } from "../connection/statement.ts";

type Found = readonly Readonly<Record<string, unknown>>[];

export interface ManyMarks {
  /** Claims those that nobody has, and returns their places. */
  readonly insertion: Planned;
  /** Returns the places and checksums of those that somebody has. */
  readonly looking: Planned;
  /** What became of each, by the rows of both. */
  outcomes(claimed: Found, kept: Found): readonly MarkOutcome[];
}

const GIVEN =
  "jsonb_to_recordset($1) as given (handler text, type text, message_id text, checksum text, place int)";

/** Plans it for marks of which none is given twice. */
export function manyMarks(names: Names, marks: readonly Mark[]): ManyMarks {
  const given = JSON.stringify(
    marks.map(({ handler, type, messageId, checksum = null }, place) => ({
      ...{ handler, type, message_id: messageId, checksum, place },
    })),
  );
  const doing = `marking ${marks.length} messages`;
  return {
    // In one order everywhere, so that two that share several never wait for each other. The time is the
    // server's, as that of a single mark.
    insertion: {
      text: `with given as materialized (select * from ${GIVEN}), ` +
        `taken as (insert into ${names.processed} (handler, type, message_id, checksum, processed_at) ` +
        "select handler, type, message_id, checksum, clock_timestamp() from given " +
        "order by handler, type, message_id on conflict do nothing returning handler, type, message_id) " +
        "select place from given join taken using (handler, type, message_id)",
      values: [given],
      doing,
    },
    looking: {
      text: `select given.place, kept.checksum from ${GIVEN} ` +
        `join ${names.processed} kept using (handler, type, message_id)`,
      values: [given],
      doing,
    },
    outcomes: (claimed, kept) => {
      const places = new Set(claimed.map(({ place }) => Number(place)));
      const checksums = new Map(kept.map(({ place, checksum }) => [Number(place), checksum]));
      return marks.map((mark, place) => {
        if (places.has(place)) return "claimed";
        return isOtherMessage(mark, checksums.get(place)) ? "conflict" : "handled";
      });
    },
  };
}
