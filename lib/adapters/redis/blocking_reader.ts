/**
 * Blocking reads over a connection of their own (PIPE-10): none outlasts its time by more than a margin, and
 * a cut read never loses sight of an entry.
 *
 * @module
 */
import { sleep } from "../../async/clock.ts";
import type { StreamEntry } from "../ports.ts";
import type { Connection } from "./connection.ts";
import type { Endpoint, Reader } from "./endpoint.ts";
import { unavailable } from "./faults.ts";
import { entriesIn, readBatch, type StreamPlace } from "./stream_place.ts";

/**
 * How long a read may outlast its time before its socket is destroyed: `socket_timeout` between these. An
 * idle Redis looks only ten times a second whether a blocked client's time is up.
 */
const MARGIN_MS = { least: 250, most: 2_000 };
/** How long a cut read may take to return before its socket is destroyed (delivery 6). */
const CUT_MS = 200;
/** CLIENT UNBLOCK finds nothing while the read is still on its way to the server; then it is sent again. */
const UNBLOCK_AGAIN_MS = 10;
/** A read waits at least so long for a lost connection, so that a loop around it does not spin. */
const PATIENCE_MS = 1_000;

export interface ReadRequest {
  readonly count: number;
  readonly blockMs: number;
  readonly ack: readonly string[];
  readonly announce: boolean;
  /** See `TextLimits`. */
  readonly maxBytes: number | undefined;
  readonly signal: AbortSignal;
}

export class BlockingReader {
  readonly #endpoint: Endpoint;
  readonly #reader: Reader;
  readonly #place: StreamPlace;

  constructor(endpoint: Endpoint, reader: Reader, place: StreamPlace) {
    this.#endpoint = endpoint;
    this.#reader = reader;
    this.#place = place;
  }

  async read(request: ReadRequest): Promise<readonly StreamEntry[]> {
    const { blockMs, ack, signal } = request;
    const { settings } = this.#endpoint.server;
    let acknowledged = ack.length === 0;
    let cut: Cut | undefined;
    let onAbort: (() => void) | undefined;
    try {
      const connection = await this.#reader.connection({
        patienceMs: Math.max(blockMs, PATIENCE_MS),
        signal,
      });
      signal.throwIfAborted();
      onAbort = () => cut ??= new Cut(this.#endpoint, connection);
      signal.addEventListener("abort", onAbort);
      const reply = await connection.call(
        (client) => readBatch(client, this.#place, { ...request, acknowledged: () => acknowledged = true }),
        { waitMs: blockMs, silenceMs: margin(settings.answerMs), key: this.#place.stream },
      );
      return await entriesIn(reply, this.#place, request);
    } catch (error) {
      if (!signal.aborted) throw error;
      // Cut: what had been delivered and did not reach us is pending on this consumer. Acknowledgements are
      // not to be guessed.
      if (acknowledged) return [];
      throw error === signal.reason ? unavailable(settings, "the read was cut") : error;
    } finally {
      if (onAbort) signal.removeEventListener("abort", onAbort);
      await cut?.finish();
    }
  }

  /**
   * Replaces a connection that was lost, of which the server forgets what it has not read yet; an open one
   * stays.
   */
  async relink(signal?: AbortSignal): Promise<void> {
    await this.#reader.connection({ patienceMs: PATIENCE_MS, ...signal && { signal } });
  }

  /** The next read takes a new connection. */
  async close(): Promise<void> {
    await this.#endpoint.giveBack(this.#reader);
  }
}

function margin(answerMs: number): number {
  return Math.min(MARGIN_MS.most, Math.max(MARGIN_MS.least, answerMs));
}

/**
 * Ends a blocked command from another connection; destroying the socket instead strands entries (delivery 6).
 */
class Cut {
  readonly #endpoint: Endpoint;
  readonly #connection: Connection;
  readonly #returned = new AbortController();
  readonly #work: Promise<void>;

  constructor(endpoint: Endpoint, connection: Connection) {
    this.#endpoint = endpoint;
    this.#connection = connection;
    this.#work = this.#unblock();
  }

  /** The command has returned: nothing of the cut is left when this resolves. */
  async finish(): Promise<void> {
    this.#returned.abort();
    await this.#work;
  }

  async #unblock(): Promise<void> {
    const { clock } = this.#endpoint.server;
    const { signal } = this.#returned;
    const { id } = this.#connection;
    signal.addEventListener("abort", clock.after(CUT_MS, () => this.#connection.destroy("the read was cut")));
    while (id !== undefined && !signal.aborted) {
      const server = this.#endpoint.beside(this.#connection);
      const found = await server.run((client) => client.client("UNBLOCK", id), { signal }).catch(() => 0);
      if (found) return;
      await sleep(clock, UNBLOCK_AGAIN_MS, signal);
    }
  }
}
