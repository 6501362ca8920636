/**
 * Waiting for entries without a connection to block: asks the shared one again and again, less often while nothing comes. For
 * readers beyond `max_connections` (design 8) and for replay lanes (delivery 19).
 *
 * @module
 */
import { sleep } from "../../clock.ts";
import { GroupMissingError } from "../../errors.ts";
import type { StreamEntry } from "../ports.ts";
import type { ReadRequest } from "./blocking_reader.ts";
import type { Endpoint } from "./endpoint.ts";
import { readBatch, type StreamPlace } from "./stream_place.ts";

/** The first pause between two polls, doubled up to the last. */
const PAUSE_MS = { first: 5, last: 200 };

/**
 * As `StreamGroup.read`. A poll that is cut leaves what it would have brought pending on this consumer, where commands sent after
 * it find that: they share its connection.
 */
export async function pollForEntries(
  endpoint: Endpoint,
  place: StreamPlace,
  request: ReadRequest,
): Promise<readonly StreamEntry[]> {
  const { blockMs, signal } = request;
  const { clock } = endpoint.server;
  const end = clock.monotonic() + blockMs;
  let { ack: unacknowledged, announce } = request;
  for (let pause = PAUSE_MS.first;; pause = Math.min(2 * pause, PAUSE_MS.last)) {
    const entries = await endpoint.run(
      (client) =>
        readBatch(client, place, {
          count: request.count,
          blockMs: 0,
          ack: unacknowledged,
          announce,
          acknowledged: () => unacknowledged = [],
        }),
      { key: place.stream, signal },
    ).catch((error) => {
      const nothing = place.lane && error instanceof GroupMissingError ||
        signal.aborted && unacknowledged.length === 0;
      if (nothing) return [];
      throw error;
    });
    announce = false;
    const left = end - clock.monotonic();
    if (entries.length > 0 || left <= 0 || signal.aborted) return entries;
    await sleep(clock, Math.min(pause, left), signal);
    if (signal.aborted) return [];
  }
}
