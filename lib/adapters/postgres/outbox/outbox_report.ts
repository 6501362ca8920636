/**
 * What operators see of the outbox and do to it: counts, listings, requeueing, cleaning (OBX-4, OBX-5; wire
 * 3.7, 3.9).
 *
 * @module
 */
import type { OutboxBacklog, OutboxListing, OutboxStats, OutboxStatus, OutboxWaiting } from "../../ports.ts";
import { backlogOf } from "../../outbox_backlog.ts";
import type { Database } from "../connection/database.ts";
import type { Row } from "../connection/connection.ts";
import { oldestDueText } from "./lease_sql.ts";
import { cutOff } from "../server_clock.ts";
import type { Planned } from "../connection/statement.ts";
import { arrayText } from "../connection/values.ts";

/** Beyond so many rows the published ones are estimated, as the statistics have them, instead of counted. */
const COUNTED_ROWS = 1_000_000;

/**
 * Rows by status. Those not yet published are read from the poll's index alone, however many published ones
 * are kept.
 */
export async function outboxStats(database: Database): Promise<OutboxStats> {
  const { outbox } = database.names;
  const [row = {}] = await database.read({
    text:
      `with waiting as (select count(*) as rows, count(*) filter (where status = 'processing') as processing,
        count(*) filter (where status = 'failed') as failed, (extract(epoch from min(created_at)) * 1000)::float8 as oldest
        from ${outbox} where published_at is null and abandoned_at is null),
      given as (select count(*) as rows from ${outbox} where abandoned_at is not null)
    select waiting.rows - processing - failed as pending, processing, failed, given.rows as abandoned, oldest,
      case when reltuples < ${COUNTED_ROWS} then (select count(*) from ${outbox} where published_at is not null)
        else greatest(0, reltuples::bigint - waiting.rows - given.rows) end as published
    from waiting, given, pg_class where pg_class.oid = $1::regclass`,
    values: [outbox],
    doing: "counting outbox rows",
  });
  const count = (status: OutboxStatus) => Number(row[status] ?? 0);
  return {
    counts: {
      pending: count("pending"),
      processing: count("processing"),
      published: count("published"),
      failed: count("failed"),
      abandoned: count("abandoned"),
    },
    oldest: row["oldest"] === null ? undefined : Number(row["oldest"]),
  };
}

/** Those of the messages that have a row for the broker. */
export async function presentRows(
  database: Database,
  ids: readonly string[],
  broker: string,
): Promise<readonly string[]> {
  const rows = await database.read({
    text:
      `select message_id from ${database.names.outbox} where target_broker = $1 and message_id = any($2::text[])`,
    values: [broker, arrayText(ids)],
    doing: "looking for outbox rows",
  });
  return rows.map((row) => String(row["message_id"]));
}

/** What of one broker is not published: from the poll's index, and the few rows that were given up. */
export async function outboxBacklog(database: Database, broker: string): Promise<OutboxBacklog> {
  const { outbox } = database.names;
  const counted = await database.read({
    text: `select status, count(*) as rows from ${outbox}
        where target_broker = $1 and published_at is null and abandoned_at is null group by status
      union all select 'abandoned', count(*) from ${outbox} where target_broker = $1 and abandoned_at is not null`,
    values: [broker],
    doing: "counting the outbox rows of a broker",
  });
  return backlogOf(counted);
}

/** A look that takes longer is slow, and is not repeated before twenty times as much has passed. */
const SLOW_MS = 50;
const SPARED = 20;
/** But no longer than this: what took long may have been a lock. */
const MOST_SPARED_MS = 10_000;

interface Looked {
  readonly answer: OutboxWaiting | undefined;
  /** Monotonic: when it came, and until when no other look is made. */
  readonly at: number;
  readonly until: number;
}

/**
 * The first due row of each broker. Beside an old transaction a look reads the entries of everything that was
 * published since, so a slow one is not repeated soon.
 */
export class OldestDue {
  readonly #known = new Map<string, Looked>();

  async of(database: Database, broker: string, maxAgeMs: number): Promise<OutboxWaiting | undefined> {
    const { clock, names } = database;
    const known = this.#known.get(broker);
    const began = clock.monotonic();
    if (known && (began < known.until || began - known.at < maxAgeMs)) {
      return known.answer && { ...known.answer, ageMs: Math.max(1, Math.ceil(began - known.at)) };
    }
    const [row] = await database.read({
      text: oldestDueText(names),
      values: [broker],
      doing: "looking for the oldest row of the outbox",
    });
    const answer = row && { id: String(row["seq"]), waitedMs: Math.max(0, Number(row["waited"])) };
    const now = clock.monotonic();
    const took = now - began;
    const spared = took < SLOW_MS ? 0 : Math.min(SPARED * took, MOST_SPARED_MS);
    this.#known.set(broker, { answer, at: now, until: now + spared });
    return answer;
  }
}

/**
 * Where rows of a status are found. What was published may be without end, so of those the first that come
 * are taken.
 */
const PARTS: readonly { readonly statuses: readonly OutboxStatus[]; readonly rows: string }[] = [
  {
    statuses: ["pending", "processing", "failed"],
    rows: "published_at is null and abandoned_at is null and ($1::text is null or status = $1) order by seq",
  },
  { statuses: ["abandoned"], rows: "abandoned_at is not null order by seq" },
  { statuses: ["published"], rows: "published_at is not null" },
];

/** In order of `seq`. */
export async function listOutbox(
  database: Database,
  { status, limit }: { readonly status?: OutboxStatus; readonly limit: number },
): Promise<readonly OutboxListing[]> {
  const parts = PARTS.filter(({ statuses }) => status === undefined || statuses.includes(status))
    .map(({ rows }) => `(select * from ${database.names.outbox} where ${rows} limit $2::bigint)`);
  const rows = await database.read({
    text: `select seq, message_id, stream_name, type, status, target_broker, retry_count,
        last_error ->> 'message' as last_error, (extract(epoch from created_at) * 1000)::float8 as created_at
      from (${parts.join(" union all ")}) as listed where $1::text is null or status = $1
      order by seq limit $2::bigint`,
    values: [status ?? null, String(limit)],
    doing: "listing outbox rows",
  });
  return rows.map(asListing);
}

/**
 * Failed and abandoned rows become pending with no attempt counted; returns how many. `telling` goes with it.
 */
export async function requeueRows(
  database: Database,
  ids: readonly string[] | undefined,
  telling: Planned | undefined,
): Promise<number> {
  const seqs = ids?.filter((id) => /^\d{1,18}$/.test(id));
  const [reply] = await database.write({
    text:
      `update ${database.names.outbox} set status = 'pending', retry_count = 0, next_retry_at = null, abandoned_at = null,
        last_error = null
      where (next_retry_at is not null or abandoned_at is not null) and status in ('failed', 'abandoned')
        and ($1::bigint[] is null or seq = any($1::bigint[]))`,
    values: [seqs === undefined ? null : arrayText(seqs)],
    doing: "requeueing outbox rows",
  }, ...(telling ? [telling] : []));
  return reply?.count ?? 0;
}

/**
 * Deletes what was published or abandoned before those times, by the server's clock, at most `limit`; returns
 * how many.
 */
export async function cleanOutbox(
  database: Database,
  options: { readonly publishedBefore: number; readonly abandonedBefore: number; readonly limit: number },
): Promise<number> {
  const { outbox } = database.names;
  const now = database.clock.now();
  const times = [options.publishedBefore, options.abandonedBefore];
  const [reply] = await database.write({
    // By place, for the rows of a block go together; a row that changes meanwhile has another place and
    // stays.
    text: `delete from ${outbox} where ctid = any(array(
        (select ctid from ${outbox} where published_at < ${cutOff("$2", "$1")} limit $5::bigint)
        union all (select ctid from ${outbox} where abandoned_at < ${cutOff("$4", "$3")} limit $5::bigint)
        limit $5::bigint))`,
    values: [...times.flatMap((before) => [before, now - before]), options.limit].map(String),
    doing: "cleaning the outbox",
  });
  return reply?.count ?? 0;
}

function asListing(row: Row): OutboxListing {
  const error = row["last_error"];
  return {
    id: String(row["seq"]),
    messageId: String(row["message_id"]),
    streamName: String(row["stream_name"]),
    type: String(row["type"]),
    status: row["status"] as OutboxStatus,
    targetBroker: String(row["target_broker"]),
    retryCount: Number(row["retry_count"]),
    lastError: typeof error === "string" ? error : undefined,
    createdAt: Number(row["created_at"]),
  };
}
