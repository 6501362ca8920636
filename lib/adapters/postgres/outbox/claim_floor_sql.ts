/**
 * The statements behind the bound of claims.
 *
 * @module
 */
import type { Names } from "../connection/names.ts";

/** Rows that somebody still has to publish; the condition of the poll's index. */
export const OPEN = "o.published_at is null and o.abandoned_at is null";

/** The transaction id as one that never wraps, as near to the next one as it is. */
const FULL_XID =
  "here.next + ((x.transactionid::text::bigint - here.next + 2147483648) & 4294967295) - 2147483648";

/**
 * Who may have inserted rows into the table `$1` and not committed: the virtual transactions of those that
 * hold its RowExclusiveLock, prepared ones among them, with the full transaction id of those that have one.
 * One look at the locks, so that none is missed between two.
 */
export const holdersText = `with locks as materialized (
    select * from pg_locks where granted and pid is distinct from pg_backend_pid()),
  here as (select pg_snapshot_xmax(pg_current_snapshot())::text::bigint as next)
  select l.virtualtransaction as holder, (select min(${FULL_XID}) from locks x, here
    where x.locktype = 'transactionid' and x.mode = 'ExclusiveLock'
      and x.virtualtransaction = l.virtualtransaction)::text as xid
  from locks l where l.locktype = 'relation' and l.mode = 'RowExclusiveLock' and l.relation = $1::regclass
    and l.database = (select oid from pg_database where datname = current_database())`;

/** The first open row of the broker `$1` in each of the shards `$2`, beyond the numbers `$3`. */
export function lowestOpenText(names: Names): string {
  return `select mine.shard, (select o.seq from ${names.outbox} o
      where o.target_broker = $1 and ${OPEN} and o.shard = mine.shard and o.seq > mine.low
      order by o.seq limit 1)::float8 as first
    from unnest($2::int[], $3::bigint[]) as mine(shard, low)`;
}

/** The bound of a shard: `low`, or `base` once one of the transactions in the list `late` has ended. */
export function boundText(low: string, base: string, late: string): string {
  return `(select case when exists (select from unnest(${late}::xid8[]) as passed(xid)
      where pg_visible_in_snapshot(passed.xid, pg_current_snapshot()))
    then ${base}::bigint else ${low}::bigint end)`;
}
