/**
 * Two replicas of one domain on real backends: what fires is told once between them, a takeover repeats nothing,
 * and a mute of one process is heard by the other (operations 11).
 */
import { assertEquals, assertRejects } from "@std/assert";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { alertChannels } from "../../lib/alerts/channels.ts";
import { listAlerts, muteAlerts } from "../../lib/alerts/desk.ts";
import { AlertService } from "../../lib/alerts/service.ts";
import type { Service } from "../../lib/async/service.ts";
import { loadConfig } from "../../lib/config/load.ts";
import type { Alert } from "../../lib/domain/alert.ts";
import { runtimeOf } from "../../lib/domain/runtime.ts";
import { assemble } from "../../lib/engine/assembly.ts";
import { CheckRunner } from "../../lib/health/check_runner.ts";
import { subscriptionSource } from "../../lib/health/subscription_source.ts";
import { Domain, on, type Row } from "../../lib/mod.ts";
import { WorkHealth } from "../../lib/status/work_health.ts";
import { withStatus } from "../../lib/subscription/settings/status_runtime.ts";
import { postgresAvailable, PostgresServer } from "../support/postgres_server.ts";
import { redisAvailable, RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

interface Backend {
  readonly config: Row;
  close(): Promise<void>;
}

const BACKENDS: Record<string, () => Promise<Backend>> = {
  "PostgreSQL and Redis": async () => {
    const [postgres, redis] = await Promise.all([PostgresServer.start(), RedisServer.start()]);
    return {
      config: {
        databases: { default: { provider: "postgresql", database_uri: postgres.uri() } },
        brokers: { default: { provider: "redis", URI: redis.uri } },
      },
      close: async () => {
        await Promise.all([postgres[Symbol.asyncDispose](), redis[Symbol.asyncDispose]()]);
      },
    };
  },
  SQLite: async () => {
    const folder = await Deno.makeTempDir();
    return {
      config: {
        databases: { default: { provider: "sqlite", database_uri: `sqlite:///${folder}/shop.db` } },
        brokers: { default: { provider: "sqlite", URI: `sqlite:///${folder}/streams.db` } },
      },
      close: () => Deno.remove(folder, { recursive: true }),
    };
  },
};

/** A replica as the engine makes it, whose looks the test asks for. */
async function replica(config: Row, webhook: string, check: () => boolean) {
  const domain = new Domain("shop");
  const schema = z.object({ id: z.string() });
  const Order = domain.aggregate("Order", { schema });
  const OrderPlaced = domain.event("OrderPlaced", { partOf: Order, schema });
  domain.eventHandler("Mailer", { partOf: Order, handles: [on(OrderPlaced, () => {})] });
  domain.check("pay", check, { everySeconds: 0.05 });
  const rules = { oldest_age: { threshold: 0.001, for_seconds: 0 }, outbox_age: { enabled: false } };
  await domain.init({
    config: {
      ...config,
      caches: { default: { provider: "memory" } },
      alerts: { enabled: true, webhook, rules },
    },
  });
  const runtime = runtimeOf(domain);
  const source = subscriptionSource(withStatus(runtime));
  const { services } = assemble(runtime, {
    ...{ work: new WorkHealth(runtime.clock), onFailure: () => {}, latest: () => source.latest() },
  });
  const alerts = services.find((service) => service instanceof AlertService);
  const checks = services.find((service) => service instanceof CheckRunner);
  const running: readonly Service[] = services.filter(({ name }) =>
    name === "heartbeat" || name === "checks"
  );
  for (const service of running) {
    await service.start();
    await until(() => checks?.states[0]?.status !== "pending", "the check to run");
  }
  return {
    ...{ domain, runtime, OrderPlaced },
    judges: () => alerts?.firing !== undefined,
    checked: () => checks?.states[0]?.status,
    look: async () => {
      await source.collect(new AbortController().signal);
      await alerts?.look(new AbortController().signal);
    },
    end: async () => {
      for (const service of running) await service.stop();
      await domain.close();
    },
  };
}

Deno.test("the example's function tells a pager of what cannot wait, and its configuration is one", async () => {
  const posted: unknown[] = [];
  const sink = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    posted.push(await request.json());
    return new Response("no", { status: posted.length === 1 ? 200 : 500 });
  });
  Deno.env.set("PAGER_WEBHOOK", `http://127.0.0.1:${sink.addr.port}/`);
  try {
    const folder = fileURLToPath(import.meta.resolve("../../examples/alerts/"));
    const config = await loadConfig({ domain: "shop", config: `${folder}domain.toml` });
    const [callback] = await alertChannels({ config });
    const alert: Alert = {
      ...{ rule: "check", subject: "pay", state: "firing", since: new Date(0), value: undefined },
      ...{ threshold: undefined, text: "It fails." },
    };
    const { signal } = new AbortController();
    await callback?.tell([{ ...alert, rule: "oldest_age" }], signal);
    await callback?.tell([alert], signal);
    assertEquals(posted, [{ key: "check pay 1970-01-01T00:00:00.000Z", state: "firing", text: "It fails." }]);
    await assertRejects(async () => await callback?.tell([alert], signal), Error, "The pager answered 500.");
  } finally {
    Deno.env.delete("PAGER_WEBHOOK");
    await sink.shutdown();
  }
});

for (const [name, open] of Object.entries(BACKENDS)) {
  const ignore = name !== "SQLite" && !(postgresAvailable && redisAvailable);
  Deno.test({
    ignore,
    name: `of two replicas on ${name} one tells, and the other goes on where it stood`,
    fn: async () => {
      const posted: string[] = [];
      const sink = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
        const { text } = await request.json();
        posted.push(...text.split("\n").map((line: string) => line.split(" ").slice(0, 2).join(" ")));
        return new Response("ok");
      });
      const webhook = `http://127.0.0.1:${sink.addr.port}/`;
      const backend = await open();
      const passes = { one: true, two: false };
      const one = await replica(backend.config, webhook, () => passes.one);
      const two = await replica(backend.config, webhook, () => passes.two);
      try {
        const broker = one.runtime.brokers.get("default");
        const ofTwo = async () => {
          const peers = await broker?.peers?.list() ?? [];
          return peers.some(({ fields }) => fields["checks"]?.includes("failed"));
        };
        await until(ofTwo, "the other worker to tell that it fails");
        await Promise.all([one.look(), two.look()]);
        await Promise.all([one.look(), two.look()]);
        assertEquals(posted, [":warning: `check`"], "it fails for one, and one of them tells");

        const [judge, other] = one.judges() ? [one, two] : [two, one];
        assertEquals([judge.judges(), other.judges()], [true, false]);
        await broker?.publish([{ stream: "shop::order", data: "{}" }]);
        await broker?.group({ stream: "shop::order", group: "shop.Mailer", consumer: "c" }).ensure();
        await muteAlerts(other.runtime, { rule: "oldest_age", subject: "shop.Mailer", ms: 3_600_000 });
        await until(async () => {
          await judge.look();
          return (await listAlerts(other.runtime)).alerts.length === 2;
        }, "the message to be old enough");
        const { alerts, mutes } = await listAlerts(other.runtime);
        assertEquals(alerts.map(({ rule, subject, state, muted }) => [rule, subject, state, muted]), [
          ["check", "pay", "firing", false],
          ["oldest_age", "shop.Mailer", "firing", true],
        ]);
        assertEquals([mutes.length, posted.length], [1, 1], "muted by the one, heard by the other");

        passes.one = false;
        await until(() => one.checked() === "failed", "the check to fail for both");
        await judge.end();
        await other.look();
        assertEquals(posted.length, 1, "told already");
        await muteAlerts(other.runtime, { rule: "oldest_age", subject: "shop.Mailer", ms: 0 });
        passes.one = passes.two = true;
        await until(() => other.checked() === "ok", "the check to pass");
        await other.look();
        await other.look();
        assertEquals(posted.slice(1).sort(), [":warning: `oldest_age`", ":white_check_mark: `check`"]);
      } finally {
        await one.end();
        await two.end();
        await sink.shutdown();
        await backend.close();
      }
    },
  });
}
