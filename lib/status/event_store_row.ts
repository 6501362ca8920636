/**
 * The status of one reader of the event store, from what the store itself keeps (wire 8.7).
 *
 * @module
 */
import type { BaseEventStore } from "../adapters/ports.ts";
import type { Clock } from "../async/clock.ts";
import type { HandlerRunner } from "../domain/handler_port.ts";
import { KINDS } from "../domain/kinds.ts";
import { checkpointStream, failedStream, positionStream } from "../message/names.ts";
import type { Inquiry } from "./inquiry.ts";
import { type StatusRow, verdict } from "./row.ts";
import { isRecordOf, keptFailures, keptPosition } from "./store_progress.ts";

/** Of everything in the store, so many are looked at for whether they are messages at all. */
const LOOK = 100;
const LOOK_SIZE = 1024 * 1024;

/** A figure that cannot be had is null. Never rejects. */
export async function eventStoreRow(
  { runner, category }: { readonly runner: HandlerRunner; readonly category: string },
  store: BaseEventStore,
  clock: Clock,
  inquiry: Inquiry,
): Promise<StatusRow> {
  const name = { group: runner.group, category };
  const [kept, last, failures] = await Promise.all([
    inquiry.of(() => keptPosition(store, name)),
    inquiry.of(() => store.last(category).then((event) => ({ event }))),
    inquiry.of(() => keptFailures(store, name)),
  ]);
  const head = last && (last.event?.globalPosition ?? -1);
  const lag = kept && head !== null
    ? await inquiry.of(() => behind(store, category, kept.position, head))
    : null;
  return {
    name: KINDS[runner.kind].rowName(runner.group, category),
    handler_name: runner.name,
    subscription_type: "event_store",
    stream_category: category,
    lag,
    pending: kept && 0,
    current_position: kept && String(kept.position),
    head_position: head,
    status: verdict(lag, 0),
    consumer_count: null,
    dlq_depth: null,
    returning: failures && failures.unresolved.size,
    lag_seconds: lag === null || lag === 0 ? lag : seconds(kept?.time ?? last?.event?.time, clock),
    oldest_pending_seconds: null,
    breaker: null,
    last_updated: kept?.time === undefined ? null : new Date(kept.time).toISOString(),
    position_stream: positionStream(runner.group, category),
    recovery_checkpoint_stream: checkpointStream(runner.group, category),
    failed_positions_stream: failedStream(runner.group, category),
  };
}

/**
 * Global positions from the one that was kept to the last; those of other categories between them count. Where
 * all of the store is read, records of readers at its end do not.
 */
async function behind(
  store: BaseEventStore,
  category: string,
  position: number,
  head: number,
): Promise<number> {
  const lag = head < 0 ? 0 : Math.max(0, head - Math.max(0, position));
  if (lag === 0 || category !== "$all" || lag > LOOK) return lag;
  const rest = await store.read(category, { from: position + 1, limit: LOOK, maxSize: LOOK_SIZE });
  return rest.every(isRecordOf) && rest.at(-1)?.globalPosition === head ? 0 : lag;
}

function seconds(since: number | undefined, clock: Clock): number | null {
  return since === undefined ? null : Math.max(0, clock.now() - since) / 1000;
}
