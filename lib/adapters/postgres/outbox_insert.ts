/**
 * Writes outbox rows as part of a unit of work: all of them in one statement (delivery 13).
 *
 * @module
 */
import type { OutboxInsert } from "../ports.ts";
import type { Names } from "./names.ts";
import { epoch } from "./row_writes.ts";
import type { Planned } from "./statement.ts";

const COLUMNS = [
  ...[
    "message_id text",
    "stream_name text",
    "type text",
    "data text",
    "metadata_ jsonb",
    "target_broker text",
  ],
  ...["shard smallint", "priority int", "correlation_id text", "causation_id text"],
];
const NAMES = COLUMNS.map((column) => column.split(" ")[0]).join(", ");

/**
 * Inserts the rows in their order, so that `seq` has it too; a message that is there already for that broker is left alone.
 * `now` is epoch ms.
 */
export function outboxInsertion(names: Names, rows: readonly OutboxInsert[], now: number): Planned {
  if (rows.length === 1 && Deno.env.get("VALUES")) { const c = asColumns(rows[0]!); return { doing: "x", text: `insert into ${names.outbox} (${NAMES}, created_at) values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,${epoch("$11")}) on conflict (message_id, target_broker) do nothing`, values: [...Object.values(c).map((v)=>v===null?null:typeof v==="object"?JSON.stringify(v):String(v)), String(now)] }; }
  return {
    doing: `writing ${rows.length} outbox rows`,
    text: `insert into ${names.outbox} (${NAMES}, created_at) select ${NAMES}, ${epoch("$2")} ` +
      `from rows from (jsonb_to_recordset($1) as (${COLUMNS.join(", ")})) with ordinality as given ` +
      "order by ordinality on conflict (message_id, target_broker) do nothing",
    values: [JSON.stringify(rows.map(asColumns)), String(now)],
  };
}

function asColumns(row: OutboxInsert): Record<string, unknown> {
  return {
    message_id: row.messageId,
    stream_name: row.streamName,
    type: row.type,
    data: row.data,
    metadata_: row.metadata,
    target_broker: row.targetBroker,
    shard: row.shard,
    priority: row.priority,
    correlation_id: row.metadata.domain.correlation_id,
    causation_id: row.metadata.domain.causation_id,
  };
}
