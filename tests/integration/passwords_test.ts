/**
 * Passwords that change while the server runs (issue 14, point 4): each new connection has the one of its
 * moment, and those that are open are left alone.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ConfigurationError, Domain, ProteanError } from "@protean/server";
import { RedisCache } from "../../lib/adapters/redis/cache.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { RefusedError } from "../../lib/errors.ts";
import { sql } from "../../lib/testing/conformance/provider_suite_rig.ts";
import { TestProvider } from "../support/postgres_provider.ts";
import { PostgresServer, postgresTest } from "../support/postgres_server.ts";
import { redisTest } from "../support/redis_server.ts";
import { RedisRig } from "./redis_rig.ts";

async function withFile(work: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await work(`${folder}/password`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const key of ["password_file", "password_command"]) {
  postgresTest(`a password of PostgreSQL is changed under a running server with ${key}`, async () => {
    await using server = await PostgresServer.start({
      hba: ["host all ann 127.0.0.1/32 scram-sha-256", "host all all 127.0.0.1/32 trust"],
    });
    await server.sql("create role ann login password 'first'");
    await withFile(async (path) => {
      await Deno.writeTextFile(path, "first\n");
      const setting = key === "password_file" ? path : ["cat", path];
      await using provider = new TestProvider({
        uri: `postgresql://ann@127.0.0.1:${server.port}/postgres`,
        settings: { pool_size: 2, [key]: setting },
      });
      await provider.open();
      const held = provider.session();
      assertEquals(await held.query(sql`select current_user::text as who`), [{ who: "ann" }]);
      await server.sql("alter role ann password 'second'");
      const refused = await assertRejects(() => provider.session().query(sql`select 1`), RefusedError);
      assertStringIncludes(refused.message, `see that 'databases.default.${key}' tells the password`);
      await Deno.writeTextFile(path, "second\n");
      const next = provider.session();
      assertEquals(await next.query(sql`select 1 as one`), [{ one: 1 }]);
      assertEquals(await held.query(sql`select 2 as two`), [{ two: 2 }], "what is open goes on");
      await Promise.all([held.rollback(), next.rollback()]);
    });
  });

  redisTest(`a password of Redis is changed under a running server with ${key}`, async () => {
    await using rig = await RedisRig.open({ args: ["--requirepass", "first"] });
    await withFile(async (path) => {
      await Deno.writeTextFile(path, "first\n");
      const setting = key === "password_file" ? path : ["cat", path];
      const settings = { URI: `redis://127.0.0.1:${rig.server.port}/0`, [key]: setting };
      const broker = await rig.broker(settings);
      const cache = new RedisCache({
        ...{ name: "default", domain: "shop", settings, folder: "/", clock: systemClock },
      });
      await cache.open();
      await broker.publish([{ stream: "s", data: "1" }]);
      await cache.set("k", "v");
      const admin = rig.client({ password: "first" });
      await admin.config("SET", "requirepass", "second");
      assertEquals(await broker.length("s"), 1, "what is open goes on");
      await admin.client("KILL", "TYPE", "normal", "SKIPME", "yes");
      // The stale password first, once for each: it is told where the one that is valid belongs.
      const refused = await rejection(() => broker.length("s"));
      assertEquals([refused.code, refused.message.includes("first")], ["REDIS_WRONG_PASSWORD", false]);
      assertStringIncludes(refused.message, `see that 'brokers.default.${key}' tells`);
      await Deno.writeTextFile(path, "second\n");
      await settled(() => broker.length("s"));
      await settled(() => cache.get("k"));
      await cache.close();
    });
  });
}

/** What `work` is refused with, once it is no longer that a connection has just been lost. */
async function rejection(work: () => Promise<unknown>): Promise<ConfigurationError> {
  const end = performance.now() + 10_000;
  while (performance.now() < end) {
    const error = await work().then(() => undefined, (thrown: unknown) => thrown);
    if (error instanceof ConfigurationError) return error;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("It was not refused.");
}

async function settled(work: () => Promise<unknown>): Promise<void> {
  const end = performance.now() + 10_000;
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

postgresTest("a password command that fails for a while is waited for, and the process goes on", async () => {
  await using server = await PostgresServer.start();
  await withFile(async (path) => {
    await using provider = new TestProvider({
      uri: `postgresql://postgres@127.0.0.1:${server.port}/postgres`,
      settings: { password_command: ["cat", path] },
    });
    await provider.open();
    const error = await assertRejects(() => provider.ping(AbortSignal.timeout(5000)), ProteanError);
    assertEquals(error.code, "PROVIDER_UNAVAILABLE");
    assertStringIncludes(error.message, "'databases.default.password_command' has failed (exit code 1)");
    await Deno.writeTextFile(path, "any");
    await provider.ping(AbortSignal.timeout(5000));
  });
});

Deno.test("files and programs are relative to domain.toml, and what is missing is told at the start", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const toml = (setting: string) =>
      Deno.writeTextFile(
        `${folder}/domain.toml`,
        '[databases.default]\nprovider = "memory"\n[caches.default]\nprovider = "memory"\n' +
          `[brokers.default]\nprovider = "redis"\nURI = "redis://127.0.0.1:1/0"\n${setting}\n`,
      );
    await toml('password_file = "secrets/redis"');
    const init = async () => {
      await using domain = new Domain("shop");
      await domain.init({ config: `${folder}/domain.toml` });
    };
    const error = await assertRejects(init, ConfigurationError);
    assertStringIncludes(error.message, `'${folder}/secrets/redis'`);
    await Deno.mkdir(`${folder}/secrets`);
    await Deno.writeTextFile(`${folder}/secrets/redis`, "hunter2\n");
    await init();
    await toml('password_command = ["./secrets/tell", "--now"]');
    await init();
    for (
      const wrong of ['password_command = "cat x"', "password_command = [1]", "password_file = 3"]
    ) {
      await toml(wrong);
      const refused = await assertRejects(init, ConfigurationError);
      assert(
        refused.problems.some(({ key }) => key?.startsWith("brokers.default.password_")),
        refused.message,
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
