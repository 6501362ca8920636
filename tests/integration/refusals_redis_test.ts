/** What Redis refuses to a whole server is told, and its end (HLT-2). */
import { assertEquals } from "@std/assert";
import { Redis } from "ioredis";
import { Installation } from "../e2e/server.ts";
import { PostgresServer } from "../support/postgres_server.ts";
import { RedisServer } from "../support/redis_server.ts";
import { ignore, orders, refuse } from "./refusals_rig.ts";
import { serversConfig } from "./shared_config.ts";

Deno.test({
  name: "Redis that answers pings and refuses the work is told within ten seconds, and that it ended",
  ignore,
}, async (t) => {
  await using postgres = await PostgresServer.start();
  await using redis = await RedisServer.start();
  const client = new Redis(redis.uri, { disableClientInfo: true });
  client.on("error", () => {});
  using _closing = { [Symbol.dispose]: () => client.disconnect() };
  await using installation = await Installation.create(
    serversConfig({ database: postgres.uri(), redis: redis.uri }),
  );
  const setup = await installation.command(["db", "setup"]);
  assertEquals(setup.code, 0, setup.err);
  const server = await installation.start();
  const config = (key: string, value: string) => () => client.config("SET", key, value);
  const acl = (rule: string) => () => client.call("ACL", "SETUSER", "default", rule);
  const commands = "my_domain::order:command";
  const handled = orders(postgres);
  await refuse(t, { installation, server, kind: "brokers", owner: postgres.uri(), handled }, [
    {
      what: "full",
      begin: config("maxmemory", "1"),
      end: config("maxmemory", "0"),
      reason: "OOM",
    },
    {
      what: "without the replicas that writes need",
      begin: config("min-replicas-to-write", "1"),
      end: config("min-replicas-to-write", "0"),
      reason: "NOREPLICAS",
    },
    {
      what: "a replica",
      begin: () => client.replicaof("127.0.0.1", 1),
      end: () => client.replicaof("NO", "ONE"),
      reason: "",
    },
    { what: "no right to publish", begin: acl("-xadd"), end: acl("+xadd"), reason: "lacks a permission" },
    { what: "no right to read", begin: acl("-xreadgroup"), end: acl("+xreadgroup"), reason: "xreadgroup" },
    { what: "no right to acknowledge", begin: acl("-xack"), end: acl("+xack"), reason: "xack" },
    {
      what: "no right to run scripts",
      begin: acl("-@scripting"),
      end: acl("+@scripting"),
      reason: "lacks a permission",
    },
    {
      what: "a key that holds something else",
      begin: async () => {
        await client.rename(commands, "aside");
        await client.set(commands, "not a stream");
      },
      end: () => client.rename("aside", commands),
      reason: commands,
    },
  ]);
});
