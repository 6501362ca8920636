/**
 * The Redis broker with tagged keys, as a Cluster wants them: every rule of the broker suite holds, no
 * command bypasses `keyOf`, and no call names keys of two slots.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { RedisBroker } from "../../lib/adapters/redis/broker.ts";
import { type StreamKey, taggedKey } from "../../lib/adapters/redis/keys.ts";
import { append } from "../../lib/adapters/redis/scripts.ts";
import { brokerConformance } from "../../lib/testing/conformance/broker_suite.ts";
import { redisBrokers } from "../support/redis_brokers.ts";
import { redisAvailable, RedisServer } from "../support/redis_server.ts";

/** With the keys that a Cluster has, on a server where every command can be watched. */
class TaggedBroker extends RedisBroker {
  protected override keyOf(stream: string): StreamKey {
    return taggedKey(stream);
  }
}

/** Where a command has its keys. What is not here names none. */
const KEYS: Readonly<Record<string, (args: readonly string[]) => readonly string[]>> = {
  evalsha: (args) => args.slice(3, 3 + Number(args[2])),
  xreadgroup: (args) => [args[args.indexOf("STREAMS") + 1] ?? ""],
  xgroup: (args) => [args[2] ?? ""],
  xinfo: (args) => [args[2] ?? ""],
  ...Object.fromEntries(
    [
      ...[
        "xlen",
        "xadd",
        "xack",
        "xdel",
        "xrange",
        "xrevrange",
        "xpending",
        "xclaim",
        "xtrim",
        "del",
        "unlink",
      ],
      ...[
        "type",
        "sadd",
        "srem",
        "scard",
        "smismember",
        "hset",
        "hget",
        "hgetall",
        "hdel",
        "hlen",
        "pexpire",
      ],
    ]
      .map((name) => [name, (args: readonly string[]) => [args[1] ?? ""]]),
  ),
};
/** EVAL follows an EVALSHA with the same keys. */
const KEYLESS = new Set(["auth", "client", "info", "ping", "time", "echo", "eval"]);

/**
 * Everything that the server was asked, by whomever, scripts included. By hand: the driver's own MONITOR may
 * take what it hears for an answer to its greeting.
 */
class Monitor {
  readonly #asked: (readonly string[])[] = [];
  readonly #connection: Deno.Conn;
  readonly #heard = new Map<string, () => void>();
  readonly #reading: Promise<void>;

  private constructor(connection: Deno.Conn) {
    this.#connection = connection;
    this.#reading = this.#read();
  }

  static async start(port: number): Promise<Monitor> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(new TextEncoder().encode("MONITOR\r\n"));
    const monitor = new Monitor(connection);
    await monitor.#hears(port);
    return monitor;
  }

  /** What was asked before this call. */
  async stop(port: number): Promise<readonly (readonly string[])[]> {
    await this.#hears(port);
    this.#connection.close();
    await this.#reading;
    return this.#asked;
  }

  /** Resolves when everything asked before has been heard. */
  async #hears(port: number): Promise<void> {
    const mark = crypto.randomUUID();
    const heard = new Promise<void>((resolve) => this.#heard.set(mark, resolve));
    using other = await Deno.connect({ hostname: "127.0.0.1", port });
    await other.write(new TextEncoder().encode(`ECHO ${mark}\r\n`));
    await heard;
  }

  async #read(): Promise<void> {
    let rest = "";
    const buffer = new Uint8Array(65_536);
    for (let length; (length = await this.#connection.read(buffer).catch(() => null)) !== null;) {
      const lines = (rest + new TextDecoder().decode(buffer.subarray(0, length))).split("\r\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const args = [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, text = ""]) => text);
        if (args.length === 0) continue;
        this.#asked.push(args);
        this.#heard.get(args[1] ?? "")?.();
      }
    }
  }
}

/**
 * Throws unless every key has a tag, and all keys of one call have the same. `append` is split by slot on a
 * Cluster.
 */
function assertTagged(args: readonly string[]): void {
  const name = (args[0] ?? "").toLowerCase();
  if (KEYLESS.has(name)) return;
  const keys = KEYS[name]?.(args);
  assert(keys, `a command that this test does not know: ${args.join(" ")}`);
  const tags = new Set(keys.map((key) => /^\{(.+?)\}/.exec(key)?.[1]));
  assert(!tags.has(undefined), `a key without a tag: ${args.join(" ").slice(0, 200)}`);
  if (args[1] !== append.sha) {
    assertEquals(tags.size, 1, `keys of several slots: ${args.join(" ").slice(0, 200)}`);
  }
}

async function open() {
  const server = await RedisServer.start();
  const monitor = await Monitor.start(server.port);
  const brokers = await redisBrokers(server, TaggedBroker);
  return {
    ...brokers,
    close: async () => {
      await brokers.close();
      const asked = await monitor.stop(server.port);
      await server[Symbol.asyncDispose]();
      for (const args of asked) assertTagged(args);
    },
  };
}

if (redisAvailable) {
  brokerConformance("redis (tagged keys)", open, { operations: true });
}
