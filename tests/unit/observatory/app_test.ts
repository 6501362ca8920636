/** The observatory from a request to a response, over figures that the tests choose (wire 9.3, operations 10.5). */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  BrokerUnavailableError,
  NotSupportedError,
  ProteanError,
  ProviderUnavailableError,
} from "../../../lib/errors.ts";
import { observatoryApp } from "../../../lib/observatory/server.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { findings, prometheusTest } from "../../support/prometheus.ts";
import { FakeSource, row, worker } from "./support.ts";

const WITHOUT = { host: "127.0.0.1", port: 9000, token: undefined };

function setUp(settings: { host: string; port: number; token: string | undefined } = WITHOUT) {
  const source = new FakeSource();
  const clock = new FakeClock();
  const app = observatoryApp({ source, settings, clock, databaseType: () => "postgresql" });
  const ask = (path: string, init: RequestInit = {}) => app(new Request(`http://x${path}`, init));
  const body = async (path: string) => await (await ask(path)).json();
  return { source, clock, ask, body };
}

Deno.test("/api/health says what it depends on, and that a server runs", async () => {
  const { source, body } = setUp();
  assertEquals(await body("/api/health"), {
    status: "healthy",
    domains: ["shop"],
    infrastructure: {
      redis: null,
      components: [{ kind: "provider", name: "default", status: "ok" }, {
        kind: "broker",
        name: "default",
        status: "ok",
      }],
    },
    server: { running: true, workers: 1 },
  });
  source.there = [];
  assertEquals((await body("/api/health")).server, {
    running: false,
    workers: 0,
    reason: "No server of 'shop' has announced itself.",
  });
});

Deno.test("/api/health is 200 with everything away, and says what and why", async () => {
  const { source, ask, body } = setUp();
  const redis = {
    ...{ healthy: false, version: null, connected_clients: null, memory: null, uptime_seconds: null },
    ops_per_sec: null,
  };
  source.healthFigures = {
    components: [{
      kind: "broker",
      name: "default",
      status: "unavailable",
      error: "Redis at redis://u:secret@h:1 does not answer.",
    }],
    redis,
  };
  source.there = new BrokerUnavailableError("Nobody answers.");
  assertEquals((await ask("/api/health")).status, 200);
  const health = await body("/api/health");
  assertEquals([health.status, health.infrastructure.redis], ["unhealthy", redis]);
  assertEquals(health.server, { running: null, workers: null, reason: "Nobody answers." });
  assert(!JSON.stringify(health).includes("secret"));
  source.healthFigures = {
    components: [{ kind: "provider", name: "default", status: "unavailable" }],
    redis,
  };
  assertEquals((await body("/api/health")).status, "degraded");
});

Deno.test("/api/subscriptions has the rows of the reference, what workers say, and a summary", async () => {
  const { source, body } = setUp();
  const outbox = row({ subscription_type: "outbox", handler_name: "OutboxProcessor", lag: 4, dlq_depth: 9 });
  const other = row({ name: "shop.Bills", handler_name: "Bills", lag: 3, pending: 1, status: "lagging" });
  source.found = { value: [row(), other, row({ lag: null, status: "unknown" }), outbox], reasons: [] };
  const { shop } = await body("/api/subscriptions");
  assertEquals(shop.status, "ok");
  assertEquals(shop.subscriptions[0], {
    ...row(),
    breaker: "closed",
    workers: { running: 1, in_flight: 2, retrying: 1, paused: false },
  });
  assertEquals(shop.subscriptions[1], other);
  // Handlers of one category share its queue of two, and failed rows are no dead letters.
  assertEquals(shop.summary, {
    ...{ total: 4, ok: 2, lagging: 1, unknown: 1, total_lag: 7, total_pending: 1, total_dlq: 2 },
  });
  assertEquals("errors" in shop, false);
});

Deno.test("/api/subscriptions says why figures are unknown, and answers without workers", async () => {
  const { source, ask, body } = setUp();
  source.found = { value: [row({ lag: null, status: "unknown" })], reasons: ["Redis does not answer."] };
  source.there = new BrokerUnavailableError("Nobody answers.");
  assertEquals((await body("/api/subscriptions")).shop.errors, ["Redis does not answer."]);
  source.found = new BrokerUnavailableError("Nobody answers.");
  assertEquals((await ask("/api/subscriptions")).status, 200);
  assertEquals(await body("/api/subscriptions"), { shop: { status: "error", error: "Nobody answers." } });
});

Deno.test("/api/outbox counts five statuses, or says why it cannot", async () => {
  const { source, body } = setUp();
  assertEquals(await body("/api/outbox"), {
    shop: { status: "ok", counts: { pending: 1, processing: 2, published: 3, failed: 4, abandoned: 5 } },
  });
  source.counts = new ProviderUnavailableError("Database 'default' does not answer.");
  assertEquals(await body("/api/outbox"), {
    shop: { status: "error", error: "Database 'default' does not answer." },
  });
});

Deno.test("/api/dlq lists letters without payloads, and one of them whole, digits included", async () => {
  const { source, ask, body } = setUp();
  const { entries, total_count } = await body("/api/dlq?subscription=shop%3A%3Aorder&limit=200&offset=10000");
  assertEquals(source.asked, [{ subscription: "shop::order", limit: 200, offset: 10_000 }]);
  assertEquals(total_count, 1);
  const { dlq_id, original_id, stream, consumer_group, failure_reason, failed_at, retry_count, dlq_stream } =
    entries[0];
  assertEquals(
    { dlq_id, original_id, stream, consumer_group, failure_reason, failed_at, retry_count, dlq_stream },
    {
      ...{ dlq_id: "7-0", original_id: "5-0", stream: "shop::order", consumer_group: "shop.Notes" },
      ...{ failure_reason: "Error: no", failed_at: "2026-11-28T12:00:00.000Z", retry_count: 3 },
      dlq_stream: "shop::order:dlq",
    },
  );
  assertEquals(["payload" in entries[0], "error_stack" in entries[0]], [false, false]);
  assertStringIncludes(
    await (await ask("/api/dlq/7-0")).text(),
    '"payload":{"data":{"id":12345678901234567890}}',
  );
  await body("/api/dlq");
  assertEquals(source.asked.at(-1), { subscription: undefined, limit: 100, offset: 0 });
});

for (
  const query of [
    "limit=0",
    "limit=201",
    "limit=x",
    "limit=1.5",
    "limit=-1",
    "limit=",
    "offset=10001",
    "offset=-1",
  ]
) {
  Deno.test(`/api/dlq?${query} is the caller's mistake`, async () => {
    const { ask } = setUp();
    const response = await ask(`/api/dlq?${query}`);
    assertEquals(response.status, 400);
    assertStringIncludes((await response.json()).error, `'${query.split("=")[0]}' must be a whole number`);
  });
}

Deno.test("/api/dlq: what is wrong has a status and a sentence", async () => {
  const { source, ask } = setUp();
  const failures: readonly [Error, number, string][] = [
    [
      new ProteanError("No subscription found.", { code: "DLQ_UNKNOWN_SUBSCRIPTION" }),
      404,
      "No subscription found.",
    ],
    [
      new ProteanError("DLQ message '1-0' not found.", { code: "DLQ_NOT_FOUND" }),
      404,
      "DLQ message '1-0' not found.",
    ],
    [new NotSupportedError("It keeps no dead letters."), 501, "It keeps no dead letters."],
    [new BrokerUnavailableError("Nobody answers."), 503, "Nobody answers."],
    [new TypeError("x is undefined"), 500, "Internal Server Error"],
  ];
  for (const [failure, status, error] of failures) {
    source.list = failure;
    for (const path of ["/api/dlq", "/api/dlq/1-0"]) {
      const response = await ask(path);
      assertEquals([response.status, await response.json()], [status, { error }]);
    }
  }
  assertEquals((await ask("/api/dlq/%ff")).status, 400);
});

Deno.test("only so many look at the queues at once: one more is told so", async () => {
  const { source, ask } = setUp();
  const open = Promise.withResolvers<{ entries: never[]; total: number }>();
  source.letters = () => open.promise;
  const looking = Array.from({ length: 8 }, () => ask("/api/dlq"));
  const refused = await ask("/api/dlq");
  open.resolve({ entries: [], total: 0 });
  assertEquals([refused.status, await refused.json()], [429, { error: "Too Many Requests" }]);
  for (const look of looking) assertEquals((await look).status, 200);
  assertEquals((await ask("/api/dlq")).status, 200);
});

Deno.test("/metrics has what stores and heartbeats tell, under the servers' own names", async () => {
  const { source, clock, ask } = setUp();
  source.found = {
    value: [row({ lag: 3 }), row({ subscription_type: "outbox", lag: 6, lag_seconds: 8 })],
    reasons: [],
  };
  source.there = [worker(), worker({ id: "b", started: clock.now() - 5_000 })];
  const response = await ask("/metrics");
  assertEquals(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const lines = new Set((await response.text()).split("\n"));
  for (
    const line of [
      'protean_broker_up{broker_name="default"} 1',
      'protean_subscription_consumer_lag{domain="shop",handler="Notes",stream="shop::order",type="stream"} 3',
      'protean_outbox_pending_count{domain="shop"} 6',
      'protean_dlq_depth{dlq_stream="shop::order:dlq"} 2',
      'protean_dlq_oldest_age_seconds{dlq_stream="shop::order:dlq"} 60',
      'protean_engine_workers{domain="shop"} 2',
      'protean_engine_up{worker="1",source="heartbeat"} 1',
      'protean_engine_uptime_seconds{worker="2",source="heartbeat"} 5',
      'protean_engine_heartbeat_age_seconds{worker="2",source="heartbeat"} 2',
      'protean_db_pool_checked_out{provider_name="default",database_type="postgresql",worker="2",source="heartbeat"} 2',
      // Of both together.
      'protean_subscription_in_flight{subscription="Notes",handler="Notes",stream="shop::order",source="heartbeat"} 4',
      'protean_subscription_paused{subscription="Notes",handler="Notes",stream="shop::order",source="heartbeat"} 0',
    ]
  ) assert(lines.has(line), `${line}\n\nis not in\n\n${[...lines].join("\n")}`);
});

prometheusTest("promtool finds nothing wrong with /metrics", async () => {
  const { ask } = setUp();
  assertEquals(await findings(await (await ask("/metrics")).text()), []);
});

Deno.test("/metrics is there with everything away, and says that the broker is, and with no server", async () => {
  const { source, ask } = setUp();
  const away = new BrokerUnavailableError("Nobody answers.");
  source.healthFigures = {
    components: [{ kind: "broker", name: "default", status: "unavailable" }],
    redis: null,
  };
  source.found = away;
  source.there = away;
  source.depths = away;
  const samples = async () => (await (await ask("/metrics")).text()).match(/^protean.*$/gm);
  assertEquals(await samples(), ['protean_broker_up{broker_name="default"} 0']);
  source.there = [worker()];
  assert((await samples())?.includes('protean_engine_up{worker="1",source="heartbeat"} 1'));
  // What is not known any more is not there any more.
  source.there = away;
  assertEquals(await samples(), ['protean_broker_up{broker_name="default"} 0']);
  source.there = [];
  assertEquals((await samples())?.at(-1), 'protean_engine_workers{domain="shop"} 0');
});

Deno.test("nothing but GET and HEAD, nothing that is not there, and nothing is kept or framed", async () => {
  const { ask } = setUp();
  for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
    const response = await ask("/api/dlq", { method });
    assertEquals([response.status, response.headers.get("allow")], [405, "GET, HEAD"]);
    assertEquals(await response.json(), { error: "Method Not Allowed" });
  }
  for (
    const path of ["/", "/api", "/api/health/", "/api/dlq/", "/api/dlq/1-0/x", "/metrics/x", "/API/health"]
  ) {
    assertEquals((await ask(path)).status, 404, path);
  }
  assertEquals((await ask("/api/health", { method: "HEAD" })).status, 200);
  const { headers } = await ask("/api/outbox");
  assertEquals(headers.get("cache-control"), "no-store");
  assertEquals(headers.get("x-content-type-options"), "nosniff");
  assertEquals(headers.get("access-control-allow-origin"), null);
});

Deno.test("with a token everybody brings it, for /metrics, for what is not there and on loopback too", async () => {
  const { ask } = setUp({ host: "127.0.0.1", port: 9000, token: "s3cret" });
  const status = async (path: string, authorization?: string) =>
    (await ask(path, authorization === undefined ? {} : { headers: { authorization } })).status;
  for (const path of ["/metrics", "/api/health", "/nothing"]) {
    for (
      const wrong of [
        undefined,
        "",
        "s3cret",
        "Basic s3cret",
        "Bearer",
        "Bearer s3cre",
        "Bearer s3cret2",
        "Bearer S3CRET",
      ]
    ) {
      assertEquals(await status(path, wrong), 401, `${path} ${wrong}`);
    }
    assertEquals(await status(path, "Bearer s3cret"), path === "/nothing" ? 404 : 200);
    assertEquals(await status(path, "bearer  s3cret "), path === "/nothing" ? 404 : 200);
  }
  const response = await ask("/metrics");
  assertEquals(response.headers.get("www-authenticate"), "Bearer");
  assertEquals(await response.json(), { error: "Unauthorized" });
  assertEquals((await ask("/metrics", { method: "POST" })).status, 401);
});

Deno.test("without one it answers to this machine's own names, so that no page in a browser asks by another", async () => {
  const { ask } = setUp();
  const status = async (host: string) => (await ask("/api/dlq", { headers: { host } })).status;
  for (
    const host of [
      "localhost",
      "localhost:9000",
      "127.0.0.1:9000",
      "[::1]:9000",
      "LocalHost:1",
      "a.localhost:9",
    ]
  ) {
    assertEquals(await status(host), 200, host);
  }
  for (
    const host of [
      "evil.example",
      "evil.example:9000",
      "127.0.0.1.evil.example",
      "localhost.evil.example:9000",
    ]
  ) {
    assertEquals(await status(host), 403, host);
  }
  const { ask: withToken } = setUp({ ...WITHOUT, token: "t" });
  const headers = { host: "observatory.example", authorization: "Bearer t" };
  assertEquals((await withToken("/api/dlq", { headers })).status, 200);
});
