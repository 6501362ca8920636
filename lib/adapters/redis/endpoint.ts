/**
 * One adapter's side of a Redis server: the connection that all its commands share, and the account of the
 * others (design 8).
 *
 * @module
 */
import { abortable } from "../../async/abort.ts";
import type { Redis } from "ioredis";
import type { Clock } from "../../async/clock.ts";
import { UnavailableError } from "../../errors.ts";
import { unavailable } from "./faults.ts";
import { Outage, type RedisServer } from "./outage.ts";
import { ReconnectingConnection } from "./reconnecting.ts";
import type { RedisSettings } from "./settings.ts";
import { streamEnds } from "./scripts.ts";
import { StreamWatch } from "./stream_watch.ts";

export interface CommandOptions {
  /** The key it is about, for error messages. */
  readonly key?: string;
  /** Doing it twice is as good as once, so `retry_on_timeout` may send it again. @default false */
  readonly repeatable?: boolean;
  /** Ends the wait, not the command. */
  readonly signal?: AbortSignal | undefined;
}

export class Endpoint {
  readonly server: RedisServer;
  /** For those that wait without a connection of their own. */
  readonly watch: StreamWatch;
  readonly #commands: ReconnectingConnection;
  readonly #readers = new Set<ReconnectingConnection>();

  constructor(settings: RedisSettings, clock: Clock) {
    this.server = { settings, clock, outage: new Outage(settings.section, clock) };
    this.#commands = new ReconnectingConnection(this.server);
    this.watch = new StreamWatch(
      clock,
      (keys, known, signal) =>
        this.run((client) => streamEnds.run(client, keys, known), { repeatable: true, signal }),
    );
  }

  /**
   * Sends a command over the shared connection, pipelined with those of others. Rejects at once while the
   * server is known to be away, within `socket_timeout` when it hangs; with errors of ours only.
   */
  async run<T>(send: (client: Redis) => Promise<T>, options: CommandOptions = {}): Promise<T> {
    const { signal, key, repeatable } = options;
    const { settings } = this.server;
    if (signal?.aborted) throw unavailable(settings, "no time was left to ask it");
    const once = async () => {
      const connection = await this.#commands.connection();
      return await connection.call(send, { key });
    };
    const work = repeatable && settings.retryOnTimeout ? twice(once) : once();
    try {
      return await abortable(work, signal);
    } catch (error) {
      if (signal?.aborted && error === signal.reason) {
        throw unavailable(settings, "no answer in the time allowed");
      }
      throw error;
    }
  }

  /** PING, bounded by `signal` alone. */
  async ping(signal: AbortSignal): Promise<void> {
    await this.run((client) => client.ping(), { signal });
  }

  /**
   * A connection for blocking reads, if `max_connections` allows another beside the command connection; the
   * caller gives it back. Undefined: share the command connection.
   */
  reserve(): ReconnectingConnection | undefined {
    if (this.#readers.size + 1 >= this.server.settings.maxConnections) return undefined;
    const reader = new ReconnectingConnection(this.server);
    this.#readers.add(reader);
    return reader;
  }

  /** Closes a reserved connection; its place is free once the socket is gone. */
  async giveBack(reader: ReconnectingConnection): Promise<void> {
    await reader.close();
    this.#readers.delete(reader);
  }

  /** Connections for commands and for blocking reads. */
  get open(): number {
    return 1 + this.#readers.size;
  }

  /** Ends every connection; what is still under way rejects. Idempotent. */
  async close(): Promise<void> {
    await Promise.all([this.#commands.close(), ...[...this.#readers].map((reader) => this.giveBack(reader))]);
  }
}

async function twice<T>(once: () => Promise<T>): Promise<T> {
  try {
    return await once();
  } catch (error) {
    if (error instanceof UnavailableError) return await once();
    throw error;
  }
}
