/**
 * What an audited handler does: note the delivery, wait while the harness holds it, leave an effect with its
 * unit of work. Every other one is a statement of its own, in a transaction of its own; the others are rows,
 * whose commits travel together.
 *
 * @module
 */
import type { Context } from "@protean/server";
import { pause } from "../../support/until.ts";
import { noteDelivery } from "./deliveries.ts";
import type { Audited } from "./source.ts";
import type { Effect } from "./verdict.ts";

/** In the folder that the harness has started the server in. */
export const HOLD = "hold";
/** Looked at this often, in milliseconds. */
const HOLD_EVERY_MS = 10;

/** `left` is the projection that `declareSource` has declared; what is written there the books have as effects. */
export async function leaveEffect(ctx: Context, left: Audited["Left"], effect: Effect): Promise<void> {
  const { handler, key, n } = effect;
  noteDelivery(effect);
  await held(ctx.signal);
  if (n % 2 === 0) await ctx.sql`insert into effects (handler, key, n) values (${handler}, ${key}, ${n})`;
  else await ctx.view(left).put({ id: crypto.randomUUID(), handler, key, n });
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
