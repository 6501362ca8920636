/**
 * To let everybody else have a turn: work that never waits for anything outside of this process keeps timers,
 * sockets and probes waiting until it ends.
 *
 * @module
 */
import { setImmediate } from "node:timers";

/** Resolves in the next turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
