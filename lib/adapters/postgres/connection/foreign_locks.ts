/**
 * Whose locks our statements wait for, where that is nobody of ours: an `alter table`, a dump, a session that
 * somebody has forgotten in a transaction. The database answers pings all the while.
 *
 * @module
 */
import { fleetName } from "../../client_name.ts";
import { BACKEND_NAME, type Connection } from "./connection.ts";
import { arrayText } from "./values.ts";

const LOOK = `select holder.pid, holder.usename::text as role, holder.application_name as application,
    extract(epoch from now() - coalesce(holder.xact_start, holder.state_change))::float8 as seconds
  from (select pid from pg_stat_activity where ${BACKEND_NAME} = any($1::text[]) and wait_event_type = 'Lock') as waits
    cross join lateral unnest(pg_blocking_pids(waits.pid)) as held (pid)
    left join pg_stat_activity as holder on holder.pid = held.pid
  where holder.usename is distinct from current_user
    or ${fleetName("holder.application_name")} is distinct from ${
  fleetName("current_setting('application_name')")
}
  order by 4 desc nulls last limit 1`;

/** Who holds up any of these backends, as the end of a sentence; undefined: nobody else does. */
export async function foreignHolder(
  eye: Connection,
  backends: readonly string[],
): Promise<string | undefined> {
  const [row] = await eye.run(LOOK, [arrayText(backends)], "once");
  if (!row) return undefined;
  const { pid, role, application, seconds } = row;
  if (pid === null) return "a transaction that was prepared and never ended";
  const named = typeof application === "string" && application !== "" ? ` '${application}'` : "";
  const since = typeof seconds === "number" ? ` for ${Math.round(seconds)} s` : "";
  return `session ${pid} of ${role ?? "nobody"}${named}${since}`;
}
