/**
 * Sets the wall clock of this process ahead, or behind, by the milliseconds that `AUDIT_CLOCK_AHEAD_MS` says:
 * a replica whose machine has the wrong time.
 *
 * @module
 */
export const CLOCK_AHEAD = "AUDIT_CLOCK_AHEAD_MS";

const ahead = Number(Deno.env.get(CLOCK_AHEAD) ?? 0);
if (ahead !== 0) {
  const now = Date.now;
  Date.now = () => now() + ahead;
}
