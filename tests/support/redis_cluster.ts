/**
 * A real Redis Cluster on loopback: three masters, a replica for each if wanted.
 *
 * @module
 */
import { Redis } from "ioredis";
import { freePort } from "./free_port.ts";
import { RedisServer } from "./redis_server.ts";
import { until } from "./until.ts";

const MASTERS = 3;
const SLOTS = 16_384;

export class RedisCluster implements AsyncDisposable {
  readonly #clients = new Map<number, Redis>();

  private constructor(
    /** Masters first, then the replica of each. */
    readonly servers: readonly RedisServer[],
  ) {}

  static async start({ replicas = false } = {}): Promise<RedisCluster> {
    const count = replicas ? 2 * MASTERS : MASTERS;
    const buses = Array.from({ length: count }, () => freePort());
    const servers = await Promise.all(buses.map((bus) =>
      RedisServer.start({
        args: [
          ...["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"],
          ...["--cluster-port", String(bus), "--cluster-node-timeout", "1000"],
          ...["--cluster-replica-validity-factor", "0"],
        ],
      })
    ));
    const cluster = new RedisCluster(servers);
    await cluster.#form(buses);
    return cluster;
  }

  get masters(): readonly RedisServer[] {
    return this.servers.slice(0, MASTERS);
  }

  /** `redis+cluster://127.0.0.1:…,127.0.0.1:…`: of two nodes, as not all need be named. */
  get uri(): string {
    return `redis+cluster://${this.servers.slice(0, 2).map(({ port }) => `127.0.0.1:${port}`).join(",")}`;
  }

  /** A client of one node. */
  client({ port }: RedisServer): Redis {
    let client = this.#clients.get(port);
    if (!client) {
      client = new Redis({ port, disableClientInfo: true, enableReadyCheck: false });
      client.on("error", () => {});
      this.#clients.set(port, client);
    }
    return client;
  }

  async idOf(server: RedisServer): Promise<string> {
    return String(await this.client(server).call("CLUSTER", "MYID"));
  }

  /** Which of the masters has the slot, as the first one that answers sees it. */
  async ownerOf(slot: number): Promise<RedisServer> {
    const ranges = await this.client(this.servers[0] as RedisServer).call("CLUSTER", "SLOTS") as readonly [
      number,
      number,
      readonly [string, number],
    ][];
    const port = ranges.find(([first, last]) => first <= slot && slot <= last)?.[2][1];
    const owner = this.servers.find((server) => server.port === port);
    if (!owner) throw new Error(`Nobody has slot ${slot}.`);
    return owner;
  }

  /** Moves one slot to another master, key by key, as `redis-cli --cluster reshard` does. */
  async moveSlot(
    slot: number,
    to: RedisServer,
    eachKey: () => Promise<void> = async () => {},
  ): Promise<void> {
    const from = await this.ownerOf(slot);
    const [source, target] = [this.client(from), this.client(to)];
    const [fromId, toId] = [await this.idOf(from), await this.idOf(to)];
    await target.call("CLUSTER", "SETSLOT", String(slot), "IMPORTING", fromId);
    await source.call("CLUSTER", "SETSLOT", String(slot), "MIGRATING", toId);
    for (;;) {
      const keys = await source.call("CLUSTER", "GETKEYSINSLOT", String(slot), "1") as readonly string[];
      if (keys.length === 0) break;
      for (const key of keys) {
        await source.call("MIGRATE", "127.0.0.1", String(to.port), key, "0", "5000");
        await eachKey();
      }
    }
    for (const client of [target, source, ...this.masters.map((server) => this.client(server))]) {
      await client.call("CLUSTER", "SETSLOT", String(slot), "NODE", toId);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients.values()) client.disconnect();
    for (const server of this.servers) await server[Symbol.asyncDispose]();
  }

  async #form(buses: readonly number[]): Promise<void> {
    const [first] = this.servers;
    const share = Math.ceil(SLOTS / MASTERS);
    for (const [at, server] of this.masters.entries()) {
      const [low, high] = [at * share, Math.min(SLOTS, (at + 1) * share) - 1];
      await this.client(server).call("CLUSTER", "ADDSLOTSRANGE", String(low), String(high));
    }
    for (const [at, server] of this.servers.entries()) {
      const client = this.client(server);
      await client.call("CLUSTER", "SET-CONFIG-EPOCH", String(at + 1));
      if (server === first || !first) continue;
      await client.call("CLUSTER", "MEET", "127.0.0.1", String(first.port), String(buses[0]));
    }
    const settled = (server: RedisServer) => async () => {
      const info = String(await this.client(server).call("CLUSTER", "INFO"));
      return info.includes("cluster_state:ok") && info.includes(`cluster_known_nodes:${this.servers.length}`);
    };
    for (const server of this.servers) await until(settled(server), "a Cluster that knows itself");
    for (const [at, server] of this.servers.slice(MASTERS).entries()) {
      const id = await this.idOf(this.masters[at] as RedisServer);
      await this.client(server).call("CLUSTER", "REPLICATE", id);
    }
    for (const server of this.servers.slice(MASTERS)) {
      const client = this.client(server);
      await until(
        async () => /master_link_status:up/.test(await client.info("replication")),
        "a replica in sync",
      );
    }
    const count = this.masters.length;
    for (const server of this.servers) {
      await until(async () => {
        const ranges = await this.client(server).call("CLUSTER", "SLOTS") as readonly unknown[];
        return ranges.length === count;
      }, "slots that everybody knows");
    }
  }
}
