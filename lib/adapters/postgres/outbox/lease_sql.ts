/**
 * The statements of an outbox processor, and the settings of the session that runs them.
 *
 * @module
 */
import { OUTBOX_SHARDS } from "../../ports.ts";
import type { Names } from "../connection/names.ts";
import { STANDS_STILL } from "../connection/still_sessions.ts";
import { streamKey } from "../tables/migrations.ts";
import { epoch } from "../tables/row_writes.ts";
import { boundText, OPEN } from "./claim_floor_sql.ts";

/**
 * An outbox is empty now and holds a million rows in a minute, and the statistics know neither in time: so
 * the plans do not depend on them, but always follow the indexes. Their seeming costs must not have them
 * compiled: that takes a quarter of a second. What a claim or a record of publishing has written may be lost
 * with the whole server, for then the rows are published again.
 */
export const LEASE_SESSION = [
  "set plan_cache_mode = force_generic_plan",
  "set jit = off",
  ...["seqscan", "bitmapscan", "hashjoin", "mergejoin", "sort"].map((node) => `set enable_${node} = off`),
  "set synchronous_commit = off",
].join("; ");

/** More than those who share the outbox differ by about the server's time. */
const AHEAD = "interval '10 seconds'";

/**
 * Rows of the broker `$1` that are due at the time `at`: pending, `processing` as far as `left` says, or to
 * be tried again; and not behind a failed row of their stream that is not due. One that failed in the future,
 * as of now, is due: the server's clock was set back since, or another server took over, by what might be a
 * month (D25).
 */
function due(names: Names, left: string, at: string): string {
  return `o.target_broker = $1 and ${OPEN} and (o.status = 'pending'
      or o.status = 'processing'${left}
      or o.status = 'failed' and (o.next_retry_at <= ${at} or o.last_processed_at > ${at} + ${AHEAD}))
    and not exists (select from ${names.outbox} f where f.target_broker = $1
      and ${streamKey("f.stream_name")} = ${streamKey("o.stream_name")} and f.stream_name = o.stream_name
      and f.seq < o.seq and f.next_retry_at > ${at} and f.status = 'failed'
        and f.last_processed_at <= ${at} + ${AHEAD})`;
}

/**
 * Those that the holder `$2` may claim at the time `$3`: the ones that an earlier holder left are among them.
 */
function claimable(names: Names): string {
  return due(names, " and o.locked_by is distinct from $2", epoch("$3"));
}

/** The first due row of the broker `$1`, in whoever's hands, and for how many ms it has waited. */
export function oldestDueText(names: Names): string {
  return `select first.seq, floor(extract(epoch from now() - first.created_at) * 1000)::float8 as waited
    from generate_series(0, ${OUTBOX_SHARDS - 1}) as each(shard), lateral (
      select o.seq, o.created_at from ${names.outbox} o where o.shard = each.shard and ${
    due(names, "", "now()")
  }
      order by o.seq limit 1) as first
    order by first.seq limit 1`;
}

/** Beside the shards' own locks: each lease has this one shared, so that the others can count it. */
const STANDING = OUTBOX_SHARDS;

/** Shows everybody that this session stands for shards: `$1` the lock's number for the broker. */
export const standText = `select pg_advisory_lock_shared($1, ${STANDING})`;

const THE_STANDING = `locktype = 'advisory'
    and database = (select oid from pg_database where datname = current_database())
    and classid = $1::int::oid and objid = ${STANDING} and objsubid = 2 and granted`;

/** How many do. */
export const standingText = `select count(*)::int as standing from pg_locks where ${THE_STANDING}`;

/**
 * Ends the sessions of those that stand and have asked nothing for so long that they do not move (D2): a
 * living one beats every few seconds, and one that wakes up finds its session gone and publishes nothing.
 * Returns one row for each.
 */
export const endStillText = `select pg_terminate_backend(pid) as ended from pg_stat_activity
  where ${STANDS_STILL} and pid in (select pid from pg_locks where ${THE_STANDING})`;

/**
 * Locks free shards, due or not, besides those in the list `$2`, at most `$3`. The list of candidates is made
 * first: the planner tries the cheaper condition first, which is the lock, and a lock of our own that is
 * taken twice outlasts its unlocking.
 */
export const takeFreeText = `with others as materialized (
    select shard from generate_series(0, ${OUTBOX_SHARDS - 1}) as shard where shard <> all($2::int[]))
  select shard from others where pg_try_advisory_lock($1, shard) limit $3::bigint`;

/** Unlocks the shards in the list `$2`. */
export const letGoText = "select pg_advisory_unlock($1, shard) from unnest($2::int[]) as shard";

/** When the next failed row of the broker `$1` in the shards `$3` falls due after `$2`. */
export function nextDueText(names: Names): string {
  return `select (extract(epoch from min(next_retry_at)) * 1000)::float8 as due from ${names.outbox}
    where target_broker = $1 and next_retry_at > ${
    epoch("$2")
  } and status = 'failed' and shard = any($3::int[])`;
}

/**
 * Claims the next rows of `count` shards, at most `$4`, in order of `seq`: `$5` and on are the shards, behind
 * them the numbers that rows must be beyond, one a shard. Each shard is a scan of its own in that order, and
 * they are merged lazily: so a claim reads what it takes, however much waits there or in the shards of
 * others. `late`: behind the numbers comes a second one for each shard, and a list of transactions; once one
 * of those has ended, the second numbers count.
 */
export function claimText(names: Names, count: number, late: boolean): string {
  const shards = Array.from({ length: count }, (_, index) => {
    const [shard, low, base] = [0, 1, 2].map((block) => `$${5 + block * count + index}`);
    const bound = late ? boundText(`${low}`, `${base}`, `$${5 + 3 * count}`) : `${low}`;
    return `(${nextOf(names, `${shard}`, bound)})`;
  });
  return claiming(names, shards.join(" union all "));
}

/**
 * The same for the shards in the list `$5` with the numbers in `$6`, `$7` and the transactions `$8`, to be
 * used where no backlog is expected: so many scans at once cost more to begin than to run. One after the
 * other they are begun in half the time, but may each read up to `$4` rows.
 */
export function claimFewText(names: Names, late: boolean): string {
  const lists = late ? "$5::int[], $6::bigint[], $7::bigint[]" : "$5::int[], $6::bigint[]";
  const columns = late ? "shard, low, base" : "shard, low";
  const bound = late ? boundText("mine.low", "mine.base", "$8") : "mine.low";
  const next = nextOf(names, "mine.shard", bound);
  return claiming(
    names,
    `select next.* from unnest(${lists}) as mine(${columns}), lateral (${next} limit $4::bigint) as next`,
  );
}

function nextOf(names: Names, shard: string, low: string): string {
  return `select o.seq, o.message_id from ${names.outbox} o
    where o.shard = ${shard} and o.seq > ${low} and ${claimable(names)} order by o.seq`;
}

function claiming(names: Names, next: string): string {
  return `update ${names.outbox} set status = 'processing', locked_by = $2, last_processed_at = ${epoch("$3")}
    where target_broker = $1 and message_id = any(array(
      select message_id from (${next}) as next order by seq limit $4::bigint))
    returning seq, shard, message_id, stream_name, type, data, metadata_, priority, retry_count, partition_key,
      (extract(epoch from created_at) * 1000)::float8 as created_at`;
}

/** Rows `$4` (message ids) of the broker `$1`, claimed by `$2`, were published at `$3`. */
export function publishedText(names: Names): string {
  return `update ${names.outbox} set status = 'published', published_at = ${epoch("$3")}, locked_by = null,
      last_processed_at = ${epoch("$3")}, next_retry_at = null, last_error = null
    where target_broker = $1 and locked_by = $2 and message_id = any($4::text[])`;
}

/**
 * Rows `$4` of the broker `$1`, claimed by `$2`, were not published. `$5` is a JSON object that tells for
 * each message id the new `status` and, where it was tried, `last_error`, `retry_at` (epoch ms) and
 * `counted`, the attempts.
 */
export function unpublishedText(names: Names): string {
  const outcome = "($5::jsonb -> message_id)";
  const counted = `coalesce((${outcome} ->> 'counted')::int, 0)`;
  return `update ${names.outbox} set status = ${outcome} ->> 'status', locked_by = null,
      last_processed_at = ${epoch("$3")},
      retry_count = retry_count + ${counted},
      next_retry_at = ${epoch(`(${outcome} ->> 'retry_at')`)},
      abandoned_at = case when ${outcome} ->> 'status' = 'abandoned' then ${epoch("$3")} end,
      last_error = coalesce(${outcome} -> 'last_error'
        || jsonb_build_object('retry_count', retry_count + ${counted}), last_error)
    where target_broker = $1 and locked_by = $2 and message_id = any($4::text[])`;
}
