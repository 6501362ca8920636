/**
 * Under which name the connections of this process show up at a server: in `pg_stat_activity`, in
 * `CLIENT LIST`. Whoever looks there is to know which process of which domain it is.
 *
 * @module
 */

/** What every name of ours begins with. */
export const SERVER_NAME = "protean-server";

/** PostgreSQL cuts longer names, and the end is what tells one worker from another. */
const MAX_BYTES = 63;

/** This process: `<host>-<pid>`, of letters that no list of names needs to quote (wire 2.3). */
export function processName(): string {
  return `${Deno.hostname().replace(/[^A-Za-z0-9.-]/g, "_") || "localhost"}-${Deno.pid}`;
}

/**
 * `protean-server/<domain>/<host>-<pid>`, at most 63 bytes of printable ASCII: what is too long loses the
 * beginning of the host's name, whose end tells replicas apart, and then the end of the domain's.
 */
export function applicationName(domain: string, process: string = processName()): string {
  const [host = "", pid = ""] = [process.slice(0, process.lastIndexOf("-")), /-\d+$/.exec(process)?.[0]];
  const shownDomain = domain.replace(/[^!-~]|\//g, "_").slice(0, 24);
  const room = MAX_BYTES - `${SERVER_NAME}/${shownDomain}/${pid}`.length;
  return `${SERVER_NAME}/${shownDomain}/${host.slice(-room)}${pid}`;
}

/** An SQL condition: `name`, an expression, is one that a single process has given itself, not somebody. */
export function ofOneProcess(name: string): string {
  return `${name} like '${SERVER_NAME}/%'`;
}

/**
 * An SQL expression for the part of an application's name that all processes of one fleet have in common;
 * `name` is an expression too. Names that somebody has given are taken whole.
 */
export function fleetName(name: string): string {
  return `(case when ${name} like '${SERVER_NAME}/%' then '${SERVER_NAME}' else ${name} end)`;
}
