/**
 * Waiting for entries without a connection to block: asks the shared one whenever the stream has grown. For
 * readers beyond `max_connections` (design 8) and for replay lanes (delivery 19).
 *
 * @module
 */
import { GroupMissingError } from "../../errors.ts";
import type { StreamEntry } from "../ports.ts";
import type { ReadRequest } from "./blocking_reader.ts";
import type { Endpoint } from "./endpoint.ts";
import { entriesIn, readBatch, type StreamPlace } from "./stream_place.ts";

/** A poll all the same, however still the stream is: its group may be gone, or have been set back. */
const POLL_MS = 2_000;

export class PollingReader {
  readonly #endpoint: Endpoint;
  readonly #place: StreamPlace;
  /**
   * The last poll, where it found nothing: when (monotonic), and the stream's mark before it. Kept from read
   * to read, so that a loop of short reads does not poll more often than one long read.
   */
  #empty: { readonly at: number; readonly mark: number | undefined } | undefined;

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
    const end = clock.monotonic() + blockMs;
    // Who does not wait, or brings acknowledgements, is answered now.
    const waits = ack.length === 0 && blockMs > 0;
    if (waits && !await this.#isDue(end, signal)) return [];
    for (let rest = request;; rest = { ...request, ack: [], announce: false }) {
      const mark = this.#endpoint.watch.mark(this.#place.key);
      this.#empty = undefined;
      const entries = await this.#poll(rest);
      if (entries.length > 0) return entries;
      this.#empty = { at: clock.monotonic(), mark };
      if (!await this.#isDue(end, signal)) return [];
    }
  }

  /** Waits until a poll may find something; false: the time is over before. */
  async #isDue(end: number, signal: AbortSignal): Promise<boolean> {
    const { watch, server: { clock } } = this.#endpoint;
    if (!this.#empty) return !signal.aborted;
    const { at, mark } = this.#empty;
    const next = at + POLL_MS;
    // A timer may be early by less than a millisecond, and the time is not over then.
    for (let now = clock.monotonic();; now = clock.monotonic()) {
      if (signal.aborted) return false;
      if (now >= next) return true;
      if (now >= end) return false;
      if (watch.mark(this.#place.key) !== mark) return true;
      await watch.changed(this.#place.key, mark, Math.min(end, next) - now, signal);
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
