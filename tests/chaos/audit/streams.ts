/**
 * Redis as the auditor sees it: past every proxy, with a client of its own that gives up at once.
 *
 * @module
 */
import { Redis } from "ioredis";

export interface GroupState {
  readonly group: string;
  readonly pending: number;
  /** Undefined: Redis cannot tell. */
  readonly lag: number | undefined;
}

export class Streams implements Disposable {
  readonly #client: Redis;

  constructor(port: number) {
    this.#client = new Redis({
      port,
      host: "127.0.0.1",
      maxRetriesPerRequest: 0,
      retryStrategy: () => 50,
      disableClientInfo: true,
    });
    // Redis is away on purpose; whoever asks it gets the rejection.
    this.#client.on("error", () => {});
  }

  /** Streams that have consumer groups. */
  async names(): Promise<readonly string[]> {
    const names = await this.#client.keys("*::*");
    // Beside the streams of keys there are a set of them, and notes (wire 2.11).
    return names.filter((name) => !name.endsWith(":dlq") && !name.includes(":__"));
  }

  /** Any command; rejects while Redis is away. */
  ask(command: string, ...args: readonly (string | number)[]): Promise<unknown> {
    return this.#client.call(command, ...args);
  }

  /** Entries of every dead-letter stream. */
  async deadLetters(): Promise<number> {
    let sum = 0;
    for (const name of await this.#client.keys("*:dlq*")) sum += await this.#client.xlen(name);
    return sum;
  }

  length(stream: string): Promise<number> {
    return this.#client.xlen(stream);
  }

  async groups(stream: string): Promise<readonly GroupState[]> {
    const replies = await this.#client.xinfo("GROUPS", stream) as (string | number | null)[][];
    return replies.map((reply) => {
      const fields = new Map<unknown, string | number | null>();
      for (let index = 0; index < reply.length; index += 2) {
        fields.set(reply[index], reply[index + 1] ?? null);
      }
      const lag = fields.get("lag");
      return {
        group: String(fields.get("name")),
        pending: Number(fields.get("pending")),
        lag: lag === null || lag === undefined ? undefined : Number(lag),
      };
    });
  }

  /** True when somebody has read as a consumer since Redis was started: connections do not outlive it. */
  async read(): Promise<boolean> {
    return String(await this.#client.call("CLIENT", "LIST")).includes(" cmd=xreadgroup ");
  }

  /** True when every group has read and acknowledged everything. */
  async workedOff(): Promise<boolean> {
    for (const name of await this.names()) {
      const groups = await this.groups(name);
      // The stream of a key has its groups once somebody owns the key.
      if (groups.length === 0 && /::[^:]+:/.test(name)) return false;
      for (const { lag, pending } of groups) if (lag !== 0 || pending !== 0) return false;
    }
    return true;
  }

  [Symbol.dispose](): void {
    this.#client.disconnect();
    this.#client.stream?.destroy();
  }
}
