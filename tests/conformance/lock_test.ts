/**
 * Every adapter's locks under the lock suite.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { Redis } from "ioredis";
import { MemoryBroker } from "../../lib/adapters/memory/broker.ts";
import { MemoryProvider } from "../../lib/adapters/memory/provider.ts";
import { PostgresProvider } from "../../lib/adapters/postgres/provider.ts";
import { RedisBroker } from "../../lib/adapters/redis/broker.ts";
import { SqliteBroker } from "../../lib/adapters/sqlite/broker.ts";
import { LOCK_MS } from "../../lib/adapters/sqlite/locks.ts";
import { SqliteProvider } from "../../lib/adapters/sqlite/provider.ts";
import { type Clock, systemClock } from "../../lib/async/clock.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { postgresAvailable, sharedPostgres } from "../support/postgres_server.ts";
import { redisAvailable, RedisServer } from "../support/redis_server.ts";
import { lockConformance, type LockFixture } from "../../lib/testing/conformance/lock_suite.ts";

for (const Adapter of [MemoryProvider, MemoryBroker]) {
  lockConformance(Adapter.name, () => {
    const open = () =>
      new Adapter({ name: "default", domain: "shop", settings: {}, folder: "/", clock: new FakeClock() });
    const one = open();
    return Promise.resolve({
      one,
      other: one,
      // What dies is the process, and nothing of its memory is left.
      dieWith: async (name) => void await open().lock(name),
      takeAway: () => one.close(),
      outlive: () => Promise.resolve(),
      close: () => one.close(),
    });
  });
}

for (const kind of ["provider", "broker"] as const) {
  lockConformance(`sqlite ${kind}`, () => sqlite(kind));
}

async function sqlite(kind: "provider" | "broker"): Promise<LockFixture> {
  const clock = new FakeClock(Date.now());
  const folder = await Deno.makeTempDir();
  const open = async () => {
    const options = { name: "default", domain: "shop", settings: {}, folder, clock };
    const adapter = kind === "provider" ? new SqliteProvider(options) : new SqliteBroker(options);
    await adapter.open();
    if (adapter instanceof SqliteProvider) await adapter.setup("own", []);
    return adapter;
  };
  const [one, other] = [await open(), await open()];
  return {
    one,
    other,
    dieWith: (name) => killedHolder(kind, folder, name),
    takeAway: async (name) => {
      using db = new DatabaseSync(join(folder, kind === "provider" ? "shop.db" : "shop-streams.db"));
      db.prepare("DELETE FROM protean_lock WHERE name = ?").run(name);
      await clock.advance(LOCK_MS / 2);
    },
    outlive: async () => {
      for (let tenth = 0; tenth < 20; tenth++) await clock.advance(LOCK_MS / 10);
    },
    close: async () => {
      await one.close();
      await other.close();
      assertEquals(clock.pending, 0, "no timer is left behind");
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function killedHolder(kind: string, folder: string, name: string): Promise<void> {
  const script = new URL("lock_child.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", script, kind, folder, name],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  try {
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    assertEquals(new TextDecoder().decode(value), "held\n");
    await reader.cancel();
  } finally {
    child.kill("SIGKILL");
    await child.status;
    await child.stdin.close().catch(() => {});
  }
}

const postgres = sharedPostgres();

if (postgresAvailable) {
  lockConformance("postgres provider", async () => {
    const database = await postgres();
    const clock = new FakeClock();
    const open = () => {
      const settings = { database_uri: database.uri() };
      return new PostgresProvider({ name: "default", domain: "shop", settings, folder: "/", clock });
    };
    const [one, other, dying] = [open(), open(), open()];
    // Locks of one number, as these are, have `objsubid` 1.
    const cut = async () =>
      void await database.sql(
        `select pg_terminate_backend(pid) from pg_locks l join pg_database d on d.oid = l.database
          where d.datname = current_database() and locktype = 'advisory' and objsubid = 1`,
      );
    return {
      one,
      other,
      dieWith: async (name) => {
        await dying.lock(name);
        await cut();
      },
      takeAway: cut,
      outlive: async () => {
        for (let round = 0; round < 8; round++) {
          await clock.advance(5000);
          // On the holder's own session, so behind its renewal.
          await (await one.lock("round"))?.[Symbol.asyncDispose]();
        }
      },
      close: async () => {
        for (const provider of [one, other, dying]) await provider.close();
        assertEquals(clock.pending, 0, "no timer is left behind");
      },
    };
  });
}

/** So long a lock of these tests lives; a busy machine may hold up its renewal for as long. */
const TTL_MS = 2000;

class ImpatientBroker extends RedisBroker {
  protected override readonly lockMs = TTL_MS;
}

/** A process that stands still: no timer ever fires. */
const standing: Clock = { ...systemClock, after: () => () => {} };

if (redisAvailable) {
  lockConformance("redis broker", async () => {
    const server = await RedisServer.start();
    const open = (clock: Clock) => {
      const settings = { URI: server.uri };
      return new ImpatientBroker({ name: "default", domain: "shop", settings, folder: "/", clock });
    };
    const [one, other, dying] = [open(systemClock), open(systemClock), open(standing)];
    return {
      one,
      other,
      dieWith: async (name) => void await dying.lock(name),
      takeAway: async (name) => {
        const client = new Redis({ port: server.port, disableClientInfo: true });
        await client.del(`protean:lock:${name}`);
        await client.quit();
      },
      outlive: () => new Promise((resolve) => setTimeout(resolve, TTL_MS * 1.5)),
      close: async () => {
        for (const broker of [one, other, dying]) await broker.close();
        await server[Symbol.asyncDispose]();
      },
    };
  });
}
