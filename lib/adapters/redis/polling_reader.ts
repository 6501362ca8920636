/**
 * Waiting for entries without a connection to block: asks the shared one again and again, less often while
 * nothing comes. For readers beyond `max_connections` (design 8) and for replay lanes (delivery 19).
 *
 * @module
 */
import { sleep } from "../../async/clock.ts";
import { GroupMissingError } from "../../errors.ts";
import type { StreamEntry } from "../ports.ts";
import type { ReadRequest } from "./blocking_reader.ts";
import type { Endpoint } from "./endpoint.ts";
import { entriesIn, readBatch, type StreamPlace } from "./stream_place.ts";

/**
 * The pause after a poll that found nothing, doubled with every further one: 450 idle readers make 2,250
 * polls a second.
 */
const PAUSE_MS = { first: 5, last: 200 };

export class PollingReader {
  readonly #endpoint: Endpoint;
  readonly #place: StreamPlace;
  /** Kept from read to read, so that a loop of short reads does not poll more often than one long read. */
  #pauseMs = 0;
  /** When to poll again (monotonic). */
  #next = 0;

  constructor(endpoint: Endpoint, place: StreamPlace) {
    this.#endpoint = endpoint;
    this.#place = place;
  }

  /**
   * As `StreamGroup.read`. A poll that is cut leaves what it would have brought pending on this consumer,
   * where commands sent after it find that: they share its connection.
   */
  async read(request: ReadRequest): Promise<readonly StreamEntry[]> {
    const { blockMs, ack, signal } = request;
    const { clock } = this.#endpoint.server;
    const now = clock.monotonic();
    const end = now + blockMs;
    // Who does not wait, or brings acknowledgements, is answered now.
    let next = ack.length > 0 || blockMs <= 0 ? now : Math.max(now, this.#next);
    for (let rest = request;; rest = { ...request, ack: [] }) {
      const wait = Math.min(next, end) - clock.monotonic();
      if (wait > 0) await sleep(clock, wait, signal);
      if (signal.aborted || next > end) return [];
      const entries = await this.#poll(rest);
      this.#pauseMs = entries.length > 0 ? 0 : Math.min(2 * this.#pauseMs || PAUSE_MS.first, PAUSE_MS.last);
      next = this.#next = clock.monotonic() + this.#pauseMs;
      if (entries.length > 0 || clock.monotonic() >= end) return entries;
    }
  }

  async #poll(request: ReadRequest): Promise<readonly StreamEntry[]> {
    const { signal } = request;
    let acknowledged = request.ack.length === 0;
    try {
      const reply = await this.#endpoint.run(
        (client) =>
          readBatch(client, this.#place, { ...request, blockMs: 0, acknowledged: () => acknowledged = true }),
        { key: this.#place.stream, signal },
      );
      return await entriesIn(reply, this.#place, request);
    } catch (error) {
      if (this.#place.lane && error instanceof GroupMissingError || signal.aborted && acknowledged) return [];
      throw error;
    }
  }
}
