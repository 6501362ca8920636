/**
 * Follows `docs/guides/harden-the-server.md`, block by block, on PostgreSQL, Redis and Prometheus, and looks
 * whether what it promises is so.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Redis } from "ioredis";
import postgres from "postgres";
import { parse, stringify } from "yaml";
import { renderDeadLetter } from "../../lib/message/dead_letter.ts";
import { freePort } from "../support/free_port.ts";
import { Guide } from "../support/guide.ts";
import { OtlpSink } from "../support/otlp_sink.ts";
import { postgresAvailable } from "../support/postgres_server.ts";
import { Prometheus, prometheusAvailable } from "../support/prometheus.ts";
import { redisAvailable } from "../support/redis_server.ts";
import { until } from "../support/until.ts";
import { domainModule, GATE } from "./hardening/elements.ts";
import { Site } from "./hardening/site.ts";
import type { RunningServer } from "./server.ts";

/** Without the overlay of this machine. */
const PRODUCTION = { PROTEAN_ENV: "production" };
const HOUR_MS = 3_600_000;
/** As the page sets it. */
const POOL = { size: 10, overflow: 20 };
/** Connections that a worker has beside its pool. */
const BESIDE = 4;
const POOLS = "Raise the connection pools";
const SIZING = "Size the pool against your database's ceiling";
const DLQ = "Keep the DLQ under control";
const PROFILES = "Pick a subscription profile";
const TELEMETRY = "Emit OpenTelemetry metrics";

/** The pod of a manifest: its blocks laid over each other, and containers by name. */
interface Pod {
  readonly spec: { readonly containers: readonly Record<string, unknown>[] };
}

/** What the probes' section says of the container. */
interface Probed {
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly ports: readonly { readonly name: string }[];
}
interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

function podOf(blocks: readonly string[]): Pod["spec"] {
  const specs = blocks.map((block) => (parse(block) as Pod).spec);
  const containers = new Map<unknown, Record<string, unknown>>();
  for (const container of specs.flatMap((spec) => spec.containers)) {
    containers.set(container["name"], { ...containers.get(container["name"]), ...container });
  }
  return { ...Object.assign({}, ...specs), containers: [...containers.values()] };
}

/** A letter of `handler` as the server writes it, so old. */
function letter(stream: string, handler: string, hours: number, at: number): [string, string] {
  const failedAt = Date.now() - hours * HOUR_MS;
  const data = renderDeadLetter("{}", {
    ...{ originalStream: stream, originalId: "1-0", consumerGroup: `my_domain.${handler}`, handler },
    ...{ consumer: "gone", retryCount: 3, failedAt, error: new RangeError("out of range") },
  });
  return [`${Math.trunc(failedAt)}-${at}`, data];
}

/** Slack's end of a webhook: keeps what comes, and refuses the first. */
class Slack implements AsyncDisposable {
  readonly posted: string[] = [];
  readonly #server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    this.posted.push((await request.json()).text);
    return new Response(null, { status: this.posted.length === 1 ? 500 : 200 });
  });

  get address(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/services/T0/B0`;
  }

  /** How often this was posted. */
  count(text: string): number {
    return this.posted.filter((posted) => posted === text).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

Deno.test({
  name: "the guide, followed line by line",
  ignore: !postgresAvailable || !redisAvailable || !prometheusAvailable,
  fn: async (t) => {
    const guide = await Guide.read("harden-the-server");
    await using site = await Site.open();
    await using slack = new Slack();
    await using sink = new OtlpSink();
    const sql = postgres(site.postgres.uri(), { max: 2, onnotice: () => {} });
    const redis = new Redis(site.redis.uri);
    try {
      site.environment({ SLACK_DLQ_WEBHOOK: slack.address });
      const pools = [guide.take(POOLS, "toml"), guide.take(POOLS, "toml")];
      const rest = [
        guide.take("The server", "toml"),
        ...[guide.take(TELEMETRY, "toml"), guide.take(TELEMETRY, "toml")],
      ];
      const dlq = guide.take(DLQ, "toml");
      const here = {
        "server.dlq": "check_interval_seconds = 0.5",
        telemetry: `endpoint = "http://127.0.0.1:${sink.port}"`,
        logging: 'format = "json"',
      };
      await site.configure([...pools, dlq, ...rest], here);
      await site.write("alerts.js", guide.take(DLQ, "js"));
      await follow(t, { guide, site, slack, sink, sql, redis, webhook: [...pools, ...rest], here });
    } finally {
      redis.disconnect();
      // What a failure has left locked is let go.
      await sql.end({ timeout: 0 });
    }
    assertEquals(guide.left, [], "Nothing executes these blocks.");
  },
});

interface Surroundings {
  readonly guide: Guide;
  readonly site: Site;
  readonly slack: Slack;
  readonly sink: OtlpSink;
  readonly sql: postgres.Sql;
  readonly redis: Redis;
  /** The blocks of `domain.toml` without `[server.dlq]`. */
  readonly webhook: readonly string[];
  readonly here: Readonly<Record<string, string>>;
}

async function follow(t: Deno.TestContext, around: Surroundings): Promise<void> {
  const { guide, site, slack, sink, redis } = around;
  /** What follows stands on it. */
  const step = async (name: string, fn: () => void | Promise<void>): Promise<void> => {
    if (!await t.step(name, async () => await fn())) throw new Error(`Not followed further than '${name}'.`);
  };

  await step("check finds nothing that would stop a deployment, and warns of a small pool", async () => {
    const [setup = [], check = []] = guide.commands(POOLS);
    await site.done(setup);
    assert(!/warning|error\(s\)/.test(await site.done(check, PRODUCTION)));
    await site.configure(
      around.webhook,
      { ...around.here, "databases.default": "pool_size = 4" },
      "small.toml",
    );
    const { code, out } = await site.run([...check, "--config=small.toml"]);
    assertEquals(code, 1);
    assertStringIncludes(out, "LOW_POOL_SIZE");
  });

  await step("check counts the connections of four workers", async () => {
    const sum = guide.take(SIZING, "text").trim();
    const [alone = [], connected = []] = guide.commands(SIZING);
    const { code, out } = await site.run(alone);
    assertEquals(code, 1);
    for (const part of ["POOL_EXCEEDS_DATABASE_LIMIT", sum, "136 together", "of 100"]) {
      assertStringIncludes(out, part);
    }
    // This server takes 200.
    assertStringIncludes(await site.done(connected), sum);
  });

  await step("handlers have the settings that they are given", async () => {
    const handlers = domainModule([
      ...[guide.take(DLQ, "ts"), guide.take(PROFILES, "ts"), guide.take(PROFILES, "ts")],
    ]);
    for (const name of ["domain.js", "domain.ts"]) await site.write(name, handlers);
    const [config = []] = guide.commands(PROFILES);
    const own = ["AuditHandler", "OrderEventHandler", "BulkOrderHandler"];
    const bundled = await site.done(config);
    for (const handler of own) assertStringIncludes(bundled, handler);
    const { data } = JSON.parse(await site.done([...config.slice(0, 3), "--domain=./domain.js", "--json"]));
    const decided = (data.subscriptions as Listed[]).map(({ name, settings }) =>
      `${name}: ${
        Object.entries(settings).filter(([, { origin }]) => origin === "handler")
          .map(([key, { value }]) => `${key} ${value}`)
      }`
    );
    assertEquals(decided.toSorted(), [
      "AuditHandler: dlq_retention_hours 720,dlq_alert_threshold 10",
      "BulkOrderHandler: profile production,messages_per_tick 50",
      "OrderEventHandler: profile production",
    ]);
  });

  await step(
    "under load there are max_overflow more connections, and pool_size afterwards",
    () => load(around),
  );

  await redis.xadd("payments:dlq", ...entry(letter("payments", "PaymentSubscriber", 169, 0)));
  await redis.xadd("payments:dlq", ...entry(letter("payments", "PaymentSubscriber", 167, 0)));
  const old = ["OrderEventHandler", ...Array<string>(10).fill("AuditHandler")];
  for (const [at, handler] of old.entries()) {
    await redis.xadd("my_domain::order:dlq", ...entry(letter("my_domain::order", handler, 240, at)));
  }

  const pod = podOf([guide.take("The server", "yaml"), guide.take("Shut down gracefully", "yaml")]);
  const [container = {}] = pod.containers;
  const args = container["args"] as string[];
  const server = await site.serve(args);
  const scrape = guide.take(TELEMETRY, "yaml").replace("server:8080", `127.0.0.1:${site.port}`);
  await using prometheus = await Prometheus.start(site.port, scrape);

  await step("the probes of the manifest are answered", async () => {
    const { livenessProbe, readinessProbe, ports } = container as unknown as Probed;
    for (const { httpGet: { path, port } } of [livenessProbe, readinessProbe]) {
      assertEquals([port], ports.map(({ name }) => name));
      assertEquals((await server.probe(path)).status, 200);
    }
  });

  await step("the manifest has everything that check asks for", async () => {
    const [check = []] = guide.commands("Shut down gracefully");
    const manifest = {
      ...{ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "server" } },
      spec: {
        selector: { matchLabels: { app: "server" } },
        template: { metadata: { labels: { app: "server" } }, spec: pod },
      },
    };
    await site.write("deployment.yaml", stringify(manifest));
    await site.done(check, PRODUCTION);
    const shell = { preStop: { exec: { command: ["sleep", "5"] } } };
    const without = podOf([
      stringify({ spec: pod }),
      stringify({
        spec: { terminationGracePeriodSeconds: 17, containers: [{ name: "server", lifecycle: shell }] },
      }),
    ]);
    manifest.spec.template.spec = without;
    await site.write("deployment.yaml", stringify(manifest));
    const { code, out } = await site.run(check, PRODUCTION);
    assertEquals(code, 1);
    for (const rule of ["MANIFEST_PRE_STOP", "MANIFEST_GRACE_PERIOD"]) assertStringIncludes(out, rule);
  });

  await step("an API has the same probes", () => api(around));

  await step("the tool of the last section reads an order, and ends", async () => {
    await site.done([
      ...["protean-server", "send", "PlaceOrder", "--domain=my_domain"],
      ...["--data", '{"orderId":"o-1","amount":1}'],
    ]);
    const placed = "select 1 from protean_my_domain_order where id = 'o-1'";
    await server.until(async () => (await site.database.sql(placed)).length > 0, "the order to be placed");
    await site.write("tool.ts", guide.take("Close a domain in tests and tools", "ts"));
    const tool = await site.deno(["run", "--allow-all", "--no-check", "tool.ts"]);
    const { code, log } = await tool.ended();
    assertEquals([code, log.trimEnd().split("\n").at(-1)], [0, "placed"]);
  });

  await step("what is past its retention is trimmed, and Slack is told", async () => {
    for (let at = 0; at < 100; at++) await redis.xadd("payments", "*", "data", '{"amount":"nothing"}');
    const payments =
      ":warning: DLQ `payments:dlq` has 101 messages (threshold 100). Investigate before replaying.";
    const audits =
      ":warning: DLQ `my_domain::order:dlq` has 10 messages (threshold 10). Investigate before replaying.";
    await server.until(
      () => slack.count(payments) >= 2 && slack.count(audits) >= 2,
      "both alerts in two cycles",
      20_000,
    );
    const kept = await redis.xrange("my_domain::order:dlq", "-", "+");
    assertEquals(kept.map(([, [, data = ""]]) => JSON.parse(data)._dlq_metadata.consumer_group), [
      ...Array(10).fill("my_domain.AuditHandler"),
    ]);
    // The first post was refused.
    assertStringIncludes(await server.log(), "dlq_maintenance.alert_failed");
    assertEquals((await server.probe("/readyz")).status, 200);
  });

  await step("Prometheus has the figures", async () => {
    const value = (expression: string) => prometheus.query(expression);
    await until(
      async () =>
        await value('sum(protean_subscription_dlq_routed_total{handler="PaymentSubscriber"})') === "100",
      "Prometheus to have scraped the dead letters",
    );
    assertEquals(await value("sum(protean_dlq_trimmed_total)"), "2");
    assertEquals(await value("protean_db_pool_size"), "10");
    for (const expression of guide.take(TELEMETRY, "promql").trimEnd().split("\n")) {
      // A rate has two scrapes behind it.
      await until(async () => /^[\d.e-]+$/.test(await value(expression) ?? ""), `an answer to ${expression}`);
    }
  });

  await step("the drain: 503 from the signal on, and nothing is cut", () => drain(around, server));

  await step("every metric that the page names arrives at the collector", () => {
    assertEquals(sink.requests[0]?.resource["service.name"], "my-service");
    const names = new Set(sink.requests.flatMap(({ points }) => points.map(({ name }) => name)));
    const named = [...guide.text.matchAll(/`(protean\.[a-z_.]+)\*?`/g)].map(([, name = ""]) => name);
    assert(named.length > 8, `${named}`);
    assertEquals(named.filter((name) => ![...names].some((arrived) => arrived.startsWith(name))), []);
  });

  await step("without a function the same message; without a database 503", async () => {
    await site.configure([...around.webhook, guide.take(DLQ, "toml")], around.here);
    const told = slack.posted.length;
    const second = await site.serve(args);
    await second.until(() => slack.posted.length > told, "the alert by the webhook");
    assertMatch(slack.posted[told] ?? "", /^:warning: DLQ `[\w:]+` has \d+ messages \(threshold \d+\)\. Inv/);
    await site.postgres.stop("fast");
    await second.until(async () => (await second.probe("/readyz")).status === 503, "readiness to turn");
    assertEquals((await second.probe("/livez")).status, 200);
    await site.postgres.restart();
    await second.ready();
    assertEquals(await second.end("SIGTERM"), 0);
  });
}

/** A line of `subscriptions config --json`. */
interface Listed {
  readonly name: string;
  readonly settings: Readonly<Record<string, { readonly value: unknown; readonly origin: string }>>;
}

/** Arguments of XADD. */
function entry([id, data]: readonly [string, string]): [string, string, string] {
  return [id, "data", data];
}

/** The handlers of the page's blocks on more events than there are connections, with their work held up. */
async function load({ guide, site, sql }: Surroundings): Promise<void> {
  const query = guide.take(POOLS, "sql");
  const open = async () => {
    const [row = "|0"] = await site.database.sql(query);
    return Number(row.split("|")[1]);
  };
  await sql`create table ${sql(GATE)} (id int)`;
  const orders = Array.from({ length: 40 }, (_, at) => JSON.stringify({ orderId: `o-${at}`, amount: 10 }));
  await site.write("orders.jsonl", orders.join("\n"));
  await site.done(["protean-server", "send", "OrderPlaced", "--domain=./domain.js", "--file=orders.jsonl"]);
  const held = await hold(sql, GATE);
  const server = await site.serve(["--domain=./domain.js"]);
  const most = POOL.size + POOL.overflow;
  await server.until(async () => await open() > most, "all connections to be open", 20_000);
  assert(await open() <= most + BESIDE, `${await open()}`);
  await held.release();
  const done = async () => (await Deno.readTextFile(`${site.folder}/done.log`)).trim().split("\n");
  await server.until(async () => (await done()).length >= 3 * orders.length, "all handlers to be through");
  await server.quiet();
  await server.until(async () => await open() <= POOL.size + BESIDE, "the overflow to close", 20_000);
  assert(await open() > POOL.size, `${await open()}`);
  assertEquals(await server.end("SIGTERM"), 0);
  assertEquals(
    (await done()).toSorted(),
    ["audit", "load", "ship"].flatMap((what) => orders.map((order) => `${what} ${JSON.parse(order).orderId}`))
      .toSorted(),
  );
}

/** Keeps a table from everybody until it is released. */
async function hold(sql: postgres.Sql, table: string): Promise<{ release(): Promise<void> }> {
  const [locked, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const done = sql.begin(async (tx) => {
    await tx`lock table ${tx(table)} in access exclusive mode`;
    locked.resolve();
    await released.promise;
  });
  await Promise.race([locked.promise, done]);
  return {
    release: async () => {
      released.resolve();
      await done;
    },
  };
}

async function api({ guide, site }: Surroundings): Promise<void> {
  const heading = "A program of your own";
  await site.project();
  await site.write("api.ts", guide.take(heading, "ts"));
  const [[deno, ...args] = []] = guide.commands(heading);
  assertEquals(deno, "deno");
  const port = freePort();
  const program = await site.deno(args, { DENO_SERVE_ADDRESS: `tcp:127.0.0.1:${port}` });
  const ask = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      headers: { connection: "close" },
      signal: AbortSignal.timeout(5000),
    });
    return { status: answer.status, text: await answer.text() };
  };
  await until(async () => (await ask("/readyz")).status === 200, "the API to be ready", { within: 30_000 });
  assertMatch((await ask("/readyz")).text, /"providers":\{"default":"ok"\},"brokers":\{"default":"ok"\}/);
  assertEquals([(await ask("/livez")).status, (await ask("/orders")).status], [200, 404]);
  program.child.kill("SIGTERM");
  assertEquals((await program.ended()).code, 0);
}

async function drain({ site, sql, redis }: Surroundings, server: RunningServer): Promise<void> {
  const held = await hold(sql, "protean_my_domain_order");
  await site.done([
    ...["protean-server", "send", "PlaceOrder", "--domain=my_domain"],
    ...["--data", '{"orderId":"last","amount":1}'],
  ]);
  const waiting = async () =>
    await site.database.sql(
      "select 1 from pg_locks where not granted and relation = 'protean_my_domain_order'::regclass",
    );
  await server.until(async () => (await waiting()).length > 0, "a handler to be at work");
  server.child.kill("SIGTERM");
  await server.until(async () => (await server.probe("/readyz")).status === 503, "readiness to turn");
  assertMatch(JSON.stringify((await server.probe("/readyz")).body), /shutting_down/);
  assertEquals((await server.probe("/livez")).status, 200);
  await held.release();
  const { code } = await server.child.status;
  assertEquals(code, 0, await server.log());
  assertEquals(await site.database.sql("select count(*) from protean_my_domain_order where id = 'last'"), [
    "1",
  ]);
  assert((await redis.xlen("my_domain::order")) > 0);
}
