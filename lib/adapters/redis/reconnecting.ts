/**
 * A connection that reconnects: one physical connection after another, a new one whenever the last is lost.
 *
 * @module
 */
import { abortable } from "../../async/abort.ts";
import { asError } from "../../errors.ts";
import { Connection } from "./connection.ts";
import { unavailable } from "./faults.ts";
import type { RedisServer } from "./outage.ts";

export class ReconnectingConnection {
  readonly #server: RedisServer;
  readonly #closing = new AbortController();
  #current: Connection | undefined;
  #opening: Promise<Connection> | undefined;

  constructor(server: RedisServer) {
    this.#server = server;
  }

  /**
   * The open connection, or a new one. While the server is known to be away this rejects with the last
   * reason: at once, or after waiting up to `patienceMs` for the time of the next attempt. Never takes longer
   * than that and one attempt (`socket_connect_timeout`); an abort ends the wait with the signal's reason.
   */
  async connection(
    options: { readonly patienceMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<Connection> {
    const { patienceMs = 0, signal } = options;
    const { outage, settings } = this.#server;
    if (this.#current?.usable) return this.#current;
    if (!this.#opening && outage.error && patienceMs > 0) await outage.wait(patienceMs, signal);
    if (this.#closing.signal.aborted) throw unavailable(settings, "it has been closed");
    // While this call waited another may have opened one; opening again would destroy it under its user.
    if (this.#current?.usable) return this.#current;
    if (!this.#opening && outage.error) throw outage.error;
    return await abortable(this.#opening ??= this.#open(), signal);
  }

  /** Ends what is open or opening; resolves when its socket is gone. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#opening?.catch(() => {});
    this.#current?.destroy("closed by us");
    await this.#current?.closed;
  }

  async #open(): Promise<Connection> {
    const { outage, clock } = this.#server;
    const startedAt = clock.monotonic();
    try {
      this.#current?.destroy("the server hung up");
      await this.#current?.closed;
      this.#current = await Connection.open(this.#server, {
        signal: this.#closing.signal,
        former: this.#current,
      });
      outage.ended();
      return this.#current;
    } catch (error) {
      if (!this.#closing.signal.aborted) outage.failed(asError(error), startedAt);
      throw error;
    } finally {
      this.#opening = undefined;
    }
  }
}
