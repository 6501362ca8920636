/**
 * One adapter's side of Redis: the connection that all its commands share, and the account of the others
 * (design 8). Of a Cluster, `cluster.ts` has the same for all of its servers together.
 *
 * @module
 */
import type { Account } from "./account.ts";
import { abortable } from "../../async/abort.ts";
import type { Redis } from "ioredis";
import type { Clock } from "../../async/clock.ts";
import { UnavailableError } from "../../errors.ts";
import { unavailable } from "./faults.ts";
import { Outage, type RedisServer } from "./outage.ts";
import type { Connection } from "./connection.ts";
import type { StreamKey } from "./keys.ts";
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

/** What a blocking read takes its connection from. */
export type Reader = Pick<ReconnectingConnection, "connection" | "close">;

/** What runs commands. */
export interface Runner {
  /**
   * Sends a command over the shared connection, pipelined with those of others. Rejects at once while the
   * server is known to be away, within `socket_timeout` when it hangs; with errors of ours only.
   */
  run<T>(send: (client: Redis) => Promise<T>, options?: CommandOptions): Promise<T>;
}

export interface Endpoint extends Runner {
  readonly server: RedisServer;
  /** For those that wait without a connection of their own. */
  readonly watch: StreamWatch;
  /** PING, bounded by `signal` alone. */
  ping(signal: AbortSignal): Promise<void>;
  /**
   * A connection for blocking reads of one stream, if `max_connections` allows another beside those that this
   * domain's brokers and caches have to the server; the caller gives it back. Undefined: share the command
   * connection.
   */
  reserve(key: StreamKey): Reader | undefined;
  /** Closes a reserved connection; its place is free once the socket is gone. */
  giveBack(reader: Reader): Promise<void>;
  /** Runs commands at the server that `connection` leads to. */
  beside(connection: Connection): Runner;
  /** Places of `keys`, those together that one script may name. */
  together(keys: readonly StreamKey[]): readonly (readonly number[])[];
  /** Everything that has keys of its own. */
  parts(): Promise<readonly Runner[]>;
  /** Connections for commands and for blocking reads. */
  readonly open: number;
  /** Ends every connection; what is still under way rejects. Idempotent. */
  close(): Promise<void>;
}

/** Looks at the ends of streams, with a script for each of the groups that may be named together. */
export function watchOver(endpoint: Pick<Endpoint, "run" | "together">, clock: Clock): StreamWatch {
  return new StreamWatch(clock, async (keys, known, signal) => {
    const looks = endpoint.together(keys).map(async (places) => {
      const [some, ends] = [keys, known].map((all) => places.map((at) => all[at] as StreamKey));
      const news = await endpoint.run(
        (client) => streamEnds.run(client, some as StreamKey[], ends as string[]),
        { repeatable: true, signal },
      ) as readonly (string | number)[];
      // Counted from 1, as Lua does, in what it was asked about.
      return news.map((value, at) => at % 2 === 0 ? (places[Number(value) - 1] ?? 0) + 1 : value);
    });
    return (await Promise.all(looks)).flat();
  });
}

/** Runs `once`, and once more where that is asked for; within the time of the signal. */
export async function repeated<T>(
  { settings }: RedisServer,
  once: () => Promise<T>,
  { signal, repeatable }: CommandOptions,
): Promise<T> {
  if (signal?.aborted) throw unavailable(settings, "no time was left to ask it");
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

/** One server. */
export class ServerEndpoint implements Endpoint {
  readonly server: RedisServer;
  readonly watch: StreamWatch;
  readonly #commands: ReconnectingConnection;
  readonly #account: Account;
  readonly #readers = new Map<Reader, () => void>();
  readonly #leave: () => void;

  /** `more`: what a node of a Cluster has beside that. */
  constructor(settings: RedisSettings, clock: Clock, account: Account, more: Partial<RedisServer> = {}) {
    this.#account = account;
    this.#leave = account.take();
    this.server = { settings, clock, outage: new Outage(settings.section, clock), ...more };
    this.#commands = new ReconnectingConnection(this.server);
    this.watch = watchOver(this, clock);
  }

  async run<T>(send: (client: Redis) => Promise<T>, options: CommandOptions = {}): Promise<T> {
    const { key } = options;
    const once = async () => {
      const connection = await this.#commands.connection();
      return await connection.call(send, { key });
    };
    return await repeated(this.server, once, options);
  }

  async ping(signal: AbortSignal): Promise<void> {
    await this.run((client) => client.ping(), { signal });
  }

  reserve(): Reader | undefined {
    if (this.#account.connections >= this.server.settings.maxConnections) return undefined;
    const reader = new ReconnectingConnection(this.server);
    this.#readers.set(reader, this.#account.take());
    return reader;
  }

  async giveBack(reader: Reader): Promise<void> {
    await reader.close();
    this.#readers.get(reader)?.();
    this.#readers.delete(reader);
  }

  beside(): Runner {
    return this;
  }

  together(keys: readonly StreamKey[]): readonly (readonly number[])[] {
    return [keys.map((_, at) => at)];
  }

  parts(): Promise<readonly Runner[]> {
    return Promise.resolve([this]);
  }

  get open(): number {
    return 1 + this.#readers.size;
  }

  async close(): Promise<void> {
    const readers = [...this.#readers.keys()];
    await Promise.all([this.#commands.close(), ...readers.map((reader) => this.giveBack(reader))]);
    this.#leave();
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
