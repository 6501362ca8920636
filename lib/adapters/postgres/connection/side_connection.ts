/**
 * One connection beside the pool, for what must not wait for the pool: listening and sending hints, and
 * pings. Opened when first needed; with `keep` it is opened again whenever it is lost, by one timer.
 *
 * @module
 */
import { reconnectDelay } from "../../../async/backoff.ts";
import type { Clock } from "../../../async/clock.ts";
import type { Connection } from "./connection.ts";

export interface SideConnectionOptions {
  readonly clock: Clock;
  readonly open: (signal: AbortSignal) => Promise<Connection>;
  /** Called after every opening. */
  readonly onOpen: () => void;
  readonly random?: () => number;
}

export class SideConnection {
  readonly #options: SideConnectionOptions;
  readonly #closing = new AbortController();
  #current: Connection | undefined;
  #opening: Promise<Connection> | undefined;
  #cancelTimer: (() => void) | undefined;
  #kept = false;
  #failures = 0;

  constructor(options: SideConnectionOptions) {
    this.#options = options;
  }

  /** The connection, opened if it is not. Rejects when that fails. */
  get(): Promise<Connection> {
    if (this.#current && !this.#current.lost) return Promise.resolve(this.#current);
    return this.#opening ??= this.#open().finally(() => this.#opening = undefined);
  }

  /** From now on it is opened again whenever it is lost. */
  keep(): void {
    if (this.#kept) return;
    this.#kept = true;
    this.#maintain();
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#kept = false;
    this.#cancelTimer?.();
    this.#closing.abort(new Error("the domain is closed"));
    await this.#opening?.catch(() => {});
    await this.#current?.close();
  }

  async #open(): Promise<Connection> {
    const connection = await this.#options.open(this.#closing.signal);
    this.#current = connection;
    this.#failures = 0;
    void connection.ended.then(() => this.#later());
    this.#options.onOpen();
    return connection;
  }

  #maintain(): void {
    this.get().catch(() => this.#later());
  }

  #later(): void {
    if (!this.#kept || this.#cancelTimer) return;
    const { clock, random = Math.random } = this.#options;
    this.#cancelTimer = clock.after(reconnectDelay(++this.#failures, random), () => {
      this.#cancelTimer = undefined;
      this.#maintain();
    });
  }
}
