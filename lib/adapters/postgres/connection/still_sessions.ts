/**
 * Sessions of processes that stand still: stopped, frozen, in a debugger, in an endless loop. Nothing closes
 * their connections, so whatever they hold at the server they hold for ever, and whoever waits for it waits
 * as long (finding D2, F29). Each session of ours that holds something gives a sign of life several times
 * within `STILL_SECONDS`; who is waited for and has given none is ended, and finds so when it wakes up.
 *
 * @module
 */
import { fleetName, ofOneProcess } from "../../client_name.ts";
import { BACKEND_NAME, type Connection } from "./connection.ts";
import { arrayText } from "./values.ts";

/** A session that has said nothing for so long is not going to. */
export const STILL_SECONDS = 20;

/** A condition on `pg_stat_activity`: sessions of this role that have asked nothing for so long. */
export const STANDS_STILL = `usename = current_user and pid <> pg_backend_pid() and state like 'idle%'
    and state_change < now() - interval '${STILL_SECONDS} seconds'`;

/**
 * Nobody's but the server's own: a session that somebody has typed `begin` into is not ours to end. Whoever is
 * waited for may wait itself, for another session of the same stopped process, so every link of the chain is
 * looked at; what of that process stands in line there would stand still as soon as it is its turn, and goes too.
 */
const END_BLOCKING = `with recursive waited_for (pid) as (
    select unnest(pg_blocking_pids(pid)) from pg_stat_activity where ${BACKEND_NAME} = any($1::text[])
    union
    select unnest(pg_blocking_pids(pid)) from waited_for
  ), still as (
    select pid, application_name from pg_stat_activity where ${STANDS_STILL}
      and ${fleetName("application_name")} = ${fleetName("current_setting('application_name')")}
      and pid in (select pid from waited_for)
  )
  select pg_terminate_backend(pid) as ended from pg_stat_activity where pid in (select pid from still)
    or (usename = current_user and wait_event_type = 'Lock' and pid in (select pid from waited_for)
      and ${ofOneProcess("application_name")} and application_name in (select application_name from still))`;

/** Ends the sessions of ours that stand still and hold what these backends wait for; returns how many. */
export async function endBlocking(eye: Connection, backends: readonly string[]): Promise<number> {
  return backends.length === 0 ? 0 : (await eye.run(END_BLOCKING, [arrayText(backends)], "once")).length;
}
