/**
 * What an orchestrator learns of a fault: `/readyz` says so, with the reason, and says so again when it is
 * over.
 *
 * @module
 */
import { assert } from "@std/assert";
import type { RunningServer } from "../../e2e/server.ts";

/** Of an outage and of its end (issue 9: never 200 for longer while a dependency refuses its work). */
const NOTICED_MS = 10_000;

/** Resolves when the server is not ready and says why. */
export async function unready(server: RunningServer, reason: RegExp): Promise<void> {
  const took = await server.until(async () => {
    const { status, body } = await server.probe("/readyz");
    return status === 503 && reason.test(JSON.stringify(body));
  }, `/readyz to be 503 and to say ${reason}`);
  assert(took < NOTICED_MS, `unready after ${Math.round(took)} ms`);
}

/** Resolves when it is ready again. */
export async function readyAgain(server: RunningServer): Promise<void> {
  let last = "";
  const took = await server.until(async () => {
    const { status, body } = await server.probe("/readyz");
    if (status !== 200) last = JSON.stringify(body);
    return status === 200;
  }, "/readyz to be 200 again");
  assert(took < NOTICED_MS, `ready again after ${Math.round(took)} ms; before that it said ${last}`);
}
