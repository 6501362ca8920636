/**
 * A real sentinel set: a master, replicas, and three sentinels that watch them.
 *
 * @module
 */
import { Redis } from "ioredis";
import { cameUp } from "./came_up.ts";
import { freePort } from "./free_port.ts";
import { RedisServer } from "./redis_server.ts";
import { until } from "./until.ts";

const SENTINELS = 3;
const QUORUM = 2;
/** A master that is silent for so long is down. */
const DOWN_AFTER_MS = 1000;
export const SERVICE = "main";

export class RedisSentinels implements AsyncDisposable {
  private constructor(
    /** The first one is the master at the beginning. */
    readonly servers: readonly RedisServer[],
    readonly ports: readonly number[],
    private readonly processes: readonly Deno.ChildProcess[],
    private readonly folder: string,
  ) {}

  static async start(options: { readonly password?: string } = {}): Promise<RedisSentinels> {
    const { password } = options;
    const secured = password === undefined ? [] : ["--requirepass", password, "--masterauth", password];
    const master = await RedisServer.start({ appendOnly: true, args: secured });
    const of = ["--replicaof", "127.0.0.1", String(master.port)];
    const replicas = await Promise.all(
      [1, 2].map(() => RedisServer.start({ appendOnly: true, args: [...secured, ...of] })),
    );
    const folder = await Deno.makeTempDir({ prefix: "protean-sentinel-" });
    const ports = Array.from({ length: SENTINELS }, () => freePort());
    const processes = await Promise.all(ports.map((port) => sentinel(port, folder, master.port, password)));
    const set = new RedisSentinels([master, ...replicas], ports, processes, folder);
    await until(async () => {
      const known = await set.#asked("replicas", SERVICE) as readonly unknown[];
      const others = await set.#asked("sentinels", SERVICE) as readonly unknown[];
      return known.length === 2 && others.length === SENTINELS - 1;
    }, "a sentinel set that knows itself");
    return set;
  }

  /** `redis+sentinel://…/main/0` */
  uri(user = ""): string {
    return `redis+sentinel://${user}${this.ports.map((port) => `127.0.0.1:${port}`).join(",")}/${SERVICE}/0`;
  }

  /** The server that the sentinels agree on. */
  async master(): Promise<RedisServer> {
    const [, port] = await this.#asked("get-master-addr-by-name", SERVICE) as readonly string[];
    const found = this.servers.find((server) => server.port === Number(port));
    if (!found) throw new Error(`No server of ours has the port ${port}.`);
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.processes) {
      process.kill("SIGKILL");
      await process.status;
    }
    for (const server of this.servers) await server[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }

  async #asked(...words: readonly string[]): Promise<unknown> {
    const client = new Redis({ port: this.ports[0] ?? 0, lazyConnect: true, retryStrategy: null });
    client.on("error", () => {});
    try {
      await client.connect();
      return await client.call("SENTINEL", ...words);
    } finally {
      client.disconnect();
    }
  }
}

async function sentinel(
  port: number,
  folder: string,
  master: number,
  password: string | undefined,
): Promise<Deno.ChildProcess> {
  const file = `${folder}/${port}.conf`;
  await Deno.writeTextFile(
    file,
    [
      ...[`port ${port}`, "bind 127.0.0.1", `dir ${folder}`, `logfile ${port}.log`],
      `sentinel monitor ${SERVICE} 127.0.0.1 ${master} ${QUORUM}`,
      `sentinel down-after-milliseconds ${SERVICE} ${DOWN_AFTER_MS}`,
      `sentinel failover-timeout ${SERVICE} 5000`,
      ...password === undefined ? [] : [`sentinel auth-pass ${SERVICE} ${password}`],
      "",
    ].join("\n"),
  );
  const process = new Deno.Command("redis-server", {
    args: [file, "--sentinel"],
    ...{ stdin: "null", stdout: "null", stderr: "null" },
  }).spawn();
  const listens = async () => {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return true;
    } catch {
      return false;
    }
  };
  if (await cameUp(process, listens, { timeoutMs: 10_000 })) return process;
  throw new Error(`The sentinel on port ${port} did not start.`);
}
