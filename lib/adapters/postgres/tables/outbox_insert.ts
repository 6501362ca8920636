/**
 * Writes outbox rows as part of a unit of work: all of them in one statement (delivery 13).
 *
 * @module
 */
import type { OutboxInsert } from "../../ports.ts";
import type { Names } from "../connection/names.ts";
import type { Planned } from "../connection/statement.ts";
import type { TextValue } from "../connection/values.ts";

const COLUMNS = [
  ...[
    "message_id text",
    "stream_name text",
    "type text",
    "data text",
    "metadata_ text",
    "target_broker text",
  ],
  ...["shard smallint", "priority int", "correlation_id text", "causation_id text", "partition_key text"],
];
const NAMES = COLUMNS.map((column) => column.split(" ")[0]).join(", ");
/** The metadata are text until the server has them, so that nobody renders them twice. */
const SELECTED = NAMES.replace("metadata_", "metadata_::jsonb");

const CREATED = "clock_timestamp()";

/** So many rows go as plain values, which the server takes faster; more travel as one JSON text. */
const FEW = 4;

/**
 * Inserts the rows in their order, so that `seq` has it too; a message that is there already for that broker
 * is left alone. The time is the server's, so that ages are what they are.
 */
export function outboxInsertion(names: Names, rows: readonly OutboxInsert[]): Planned {
  const { source, values } = rows.length <= FEW ? asValues(rows) : asRecordset(rows);
  return {
    doing: `writing ${rows.length} outbox rows`,
    text: `insert into ${names.outbox} (created_at, ${NAMES}) ${source} ` +
      "on conflict (message_id, target_broker) do nothing",
    values,
  };
}

function asValues(rows: readonly OutboxInsert[]): { source: string; values: readonly TextValue[] } {
  const lists = rows.map((_, row) => {
    const parameters = COLUMNS.map((_, column) => `$${row * COLUMNS.length + column + 1}`);
    return `(${[CREATED, ...parameters].join(", ")})`;
  });
  const values = rows.flatMap((row) => Object.values(asColumns(row)));
  return {
    source: `values ${lists.join(", ")}`,
    values: values.map((value) => value === null ? null : String(value)),
  };
}

function asRecordset(rows: readonly OutboxInsert[]): { source: string; values: readonly TextValue[] } {
  return {
    source:
      `select ${CREATED}, ${SELECTED} from rows from (jsonb_to_recordset($1) as (${COLUMNS.join(", ")})) ` +
      "with ordinality as given order by ordinality",
    values: [JSON.stringify(rows.map(asColumns))],
  };
}

/** In the order of `COLUMNS`. */
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
    correlation_id: row.correlationId,
    causation_id: row.causationId,
    partition_key: row.partitionKey ?? null,
  };
}
