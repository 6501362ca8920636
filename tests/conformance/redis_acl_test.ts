/**
 * The Redis broker and cache as a user who may do what `docs/reference/redis-acl.md` lists and nothing else,
 * as on a managed server (issue 14, point 4).
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { Redis } from "ioredis";
import { RedisBroker } from "../../lib/adapters/redis/broker.ts";
import { RedisCache } from "../../lib/adapters/redis/cache.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { brokerConformance } from "../../lib/testing/conformance/broker_suite.ts";
import { cacheConformance } from "../../lib/testing/conformance/cache_suite.ts";
import { peersConformance } from "../../lib/testing/conformance/peers_suite.ts";
import { rollupsConformance } from "../../lib/testing/conformance/rollups_suite.ts";
import { instances } from "../support/opened.ts";
import { redisBrokers } from "../support/redis_brokers.ts";
import { redisAvailable, RedisServer, redisTest } from "../support/redis_server.ts";

const page = Deno.readTextFileSync(new URL("../../docs/reference/redis-acl.md", import.meta.url));

/** The rules of the page's `ACL SETUSER shop`. */
const RULES = (/ACL SETUSER shop ([^`]*)```/.exec(page)?.[1] ?? "").trim().split(/\s+/);
/** What the page says is done without where it is refused. */
const OPTIONAL = [...(/They are allowed by `([^`]*)`/.exec(page)?.[1] ?? "").matchAll(/\+(\S+)/g)].map(
  ([, command = ""]) => command,
);
/** Commands that Redis 7.0 does not have. */
const LATER = "client|setinfo";

/** A server with the user, and the way to see what that user was refused. */
async function start(more: readonly string[] = []) {
  const server = await RedisServer.start();
  const admin = new Redis(server.port);
  await admin.call("ACL", "SETUSER", "shop", ...RULES, ...more);
  return {
    server,
    uri: `redis://shop:secret@127.0.0.1:${server.port}/0`,
    /** Commands that were refused, ever. */
    refused: async () => {
      const log = await admin.call("ACL", "LOG", "1000") as readonly (readonly unknown[])[];
      return [...new Set(log.map((entry) => String(entry[entry.indexOf("object") + 1])))];
    },
    close: async () => {
      admin.disconnect();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function openBroker(more: readonly string[], settings: Record<string, unknown> = {}) {
  const { uri, server, refused, close } = await start(more);
  const brokers = await redisBrokers(server, RedisBroker, { URI: uri, ...settings });
  return {
    ...brokers,
    close: async () => {
      await brokers.close();
      const foreign = (await refused()).filter((command) => !OPTIONAL.includes(command));
      await close();
      assertEquals(foreign, [], "what is refused is in no list");
    },
  };
}

if (redisAvailable) {
  brokerConformance("redis (least ACL)", () => openBroker([]), { partitions: true, operations: true });
  brokerConformance("redis (least ACL, polling)", () => openBroker([], { max_connections: 1 }));
  const optional = OPTIONAL.filter((command) => command !== LATER).map((command) => `+${command}`);
  brokerConformance("redis (ACL with what is optional)", () => openBroker(optional), {
    partitions: true,
    operations: true,
  });
  peersConformance("redis (least ACL)", async () => {
    const { broker, elapse, close } = await openBroker([]);
    if (!broker.peers) throw new Error("Redis knows no peers.");
    return { one: broker.peers, other: broker.peers, elapse, close };
  });
  rollupsConformance("redis (least ACL)", async () => {
    const { broker, close } = await openBroker([]);
    if (!broker.rollups) throw new Error("Redis keeps no rollups.");
    const now = Math.floor(Date.now() / 60_000);
    return { one: broker.rollups, other: broker.rollups, now, elapse: undefined, close };
  });
  cacheConformance("redis (least ACL)", async () => {
    const { uri, refused, close } = await start();
    const { first, another, close: closeAll } = await instances(() =>
      new RedisCache({
        ...{ name: "default", domain: "shop", settings: { URI: uri }, folder: "/", clock: systemClock },
      })
    );
    return {
      ...{ cache: first, another },
      elapse: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      close: async () => {
        await closeAll();
        const foreign = (await refused()).filter((command) => !OPTIONAL.includes(command));
        await close();
        assertEquals(foreign, [], "what is refused is in no list");
      },
    };
  });
}

redisTest(
  "docs/reference/redis-acl.md allows nothing dangerous, and every command that it names exists",
  async () => {
    const { server, close } = await start();
    const admin = new Redis(server.port);
    for (const command of ["keys", "flushall", "config|set", "shutdown", "monitor", "acl|setuser", "debug"]) {
      const [name = "", sub] = command.split("|");
      const answer = await admin.call("ACL", "DRYRUN", "shop", name, ...(sub ? [sub] : []), "x", "y").catch(
        String,
      );
      assertMatch(String(answer), /has no permissions|NOPERM|wrong number/, command);
    }
    admin.disconnect();
    await close();
  },
);
