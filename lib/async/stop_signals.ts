/**
 * What stops a process: its own loop listens for it, and so does the thread that watches over the loop.
 *
 * @module
 */

/** Windows knows no SIGTERM and sends these for Ctrl-C and Ctrl-Break; listening for others is refused there. */
export const STOP_SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGTERM", "SIGINT", "SIGHUP"];

/**
 * A task runner passes on the signal that a terminal or systemd has already sent to the whole group (DRN-4):
 * what comes this soon after the first, through one, is the same signal. As a rule it takes a millisecond.
 */
export const SAME_SIGNAL_MS = 250;
