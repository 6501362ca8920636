/**
 * The texts of deliveries that were let go, brought again when their turn comes.
 *
 * @module
 */
import type { Delivery } from "./delivery.ts";
import { bounded } from "./entry_size.ts";
import { RESTING_SIZE } from "./holdings.ts";
import type { Inbox } from "./inbox.ts";

/** Those that wait next behind a delivery and are brought with it, so that not each costs a round trip. */
const BROUGHT = 32;

/**
 * Brings the text of a parked delivery, and of the parked ones that wait next behind it. False: its stream
 * does not hold it any more. Rejects as the source does.
 */
export async function bringText(inbox: Inbox, delivery: Delivery): Promise<boolean> {
  const { lane } = delivery.batch;
  const wanted = [delivery, ...inbox.behind(delivery, BROUGHT).filter(({ batch }) => batch.lane === lane)]
    .filter(({ parked }) => parked);
  const entries = await lane.source.fetch?.(wanted.map(({ id }) => id), RESTING_SIZE) ?? [];
  const found = new Map(entries.map((entry) => [entry.id, entry]));
  for (const each of wanted) {
    const entry = found.get(each.id);
    if (entry && entry.omitted === undefined) inbox.bring(each, bounded(entry, lane.maxEntryBytes));
  }
  return !delivery.parked;
}
