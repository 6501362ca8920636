/**
 * What an audited handler does: note the delivery, wait while the harness holds it, leave an effect in its
 * own transaction.
 *
 * @module
 */
import type { Context } from "@protean/server";
import { pause } from "../../support/until.ts";
import { noteDelivery } from "./deliveries.ts";
import type { Effect } from "./verdict.ts";

/** In the folder that the harness has started the server in. */
export const HOLD = "hold";
/** Looked at this often, in milliseconds. */
const HOLD_EVERY_MS = 10;

export async function leaveEffect(ctx: Context, effect: Effect): Promise<void> {
  const { handler, key, n } = effect;
  noteDelivery(effect);
  await held(ctx.signal);
  await ctx.sql`insert into effects (handler, key, n) values (${handler}, ${key}, ${n})`;
}

/** Waits as long as the file is there: that is how a test keeps handlers in flight. */
async function held(signal: AbortSignal): Promise<void> {
  while (!signal.aborted && await exists(HOLD)) await pause(HOLD_EVERY_MS);
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
}
