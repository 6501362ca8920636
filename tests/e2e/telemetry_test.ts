/** Metrics and traces of a running server, from outside: Prometheus scrapes it, a collector is sent to. */
import { assertEquals, assertMatch } from "@std/assert";
import { OtlpSink } from "../support/otlp_sink.ts";
import { findings, Prometheus, prometheusTest } from "../support/prometheus.ts";
import { until } from "../support/until.ts";
import type { RunningServer } from "./server.ts";
import { Tasks } from "./tasks.ts";

const METRICS = "[server.metrics]\nenabled = true\n";

async function metrics(server: RunningServer, path = "/metrics"): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
  assertEquals([response.status, response.headers.get("content-type")], [
    200,
    "text/plain; version=0.0.4; charset=utf-8",
  ]);
  return await response.text();
}

const ids = Array.from({ length: 8 }, (_, index) => ({ id: `t${index}`, does: "nothing" }) as const);

prometheusTest("/metrics is what Prometheus reads, and promtool finds nothing wrong with it", async () => {
  await using tasks = await Tasks.create(METRICS);
  const server = await tasks.start();
  await tasks.give(ids);
  await server.until(
    async () =>
      /^protean_subscription_messages_processed_total\{.*status="ok"\} 8$/m.test(await metrics(server)),
    "eight tasks to be counted",
  );
  const text = await metrics(server);
  assertMatch(text, /^protean_engine_up 1$/m);
  assertMatch(text, /^protean_outbox_pending_count\{domain="tasks"\} \d+$/m);
  assertMatch(
    text,
    /^protean_handler_duration_seconds_count\{handler_name="\w+",handler_type="EVENT_HANDLER",status="ok"\} 8$/m,
  );
  assertEquals(await findings(text), []);
  const head = await fetch(`http://127.0.0.1:${server.port}/metrics`, { method: "HEAD" });
  assertEquals([head.status, await head.text()], [200, ""]);
  const post = await fetch(`http://127.0.0.1:${server.port}/metrics`, { method: "POST" });
  assertEquals([post.status, (await post.text()).includes("protean")], [405, false]);
  assertEquals(await server.end("SIGTERM"), 0);
});

Deno.test("off: there is no such page", async () => {
  await using tasks = await Tasks.create();
  const server = await tasks.start();
  assertEquals((await server.probe("/metrics")).status, 404);
});

prometheusTest("several workers are one page, each with its number, which a restart keeps", async () => {
  await using tasks = await Tasks.create(METRICS);
  const server = await tasks.start(["--workers=2"]);
  const up = async () => (await metrics(server)).match(/^protean_engine_up\{.*$/gm)?.toSorted();
  assertEquals(await up(), ['protean_engine_up{worker="1"} 1', 'protean_engine_up{worker="2"} 1']);
  assertEquals(await findings(await metrics(server)), []);
  const { body } = await server.probe("/readyz");
  const { workers } = body["checks"] as { workers: Record<string, { pid: number }> };
  Deno.kill(workers["1"]?.pid ?? 0, "SIGKILL");
  await server.until(
    async () => (await up())?.length === 2 && (await server.probe("/readyz")).status === 200,
    "the worker to be there again",
  );
  assertEquals(await up(), ['protean_engine_up{worker="1"} 1', 'protean_engine_up{worker="2"} 1']);
});

for (const protocol of ["grpc", "http/protobuf"]) {
  Deno.test(`the last values and the spans arrive over ${protocol} when the server is stopped`, async () => {
    await using sink = new OtlpSink();
    await using tasks = await Tasks.create(
      `[telemetry]\nenabled = true\nendpoint = "http://127.0.0.1:${sink.port}"\nprotocol = "${protocol}"\n` +
        `trace_sample_ratio = 1.0\nservice_name = "my-service"\n`,
    );
    const server = await tasks.start();
    await tasks.give(ids);
    await server.until(async () => (await tasks.ended()).length === 8, "the tasks to be done");
    await server.quiet();
    assertEquals(await server.end("SIGTERM"), 0);
    const processed = sink.points("protean.subscription.messages_processed");
    assertEquals(processed.map(({ value, attributes }) => [value, attributes["status"]]), [[8, "ok"]]);
    assertEquals(sink.points("protean.engine.up").map(({ value }) => value), [1]);
    assertEquals(sink.requests[0]?.resource["service.name"], "my-service");
    assertEquals(sink.spans.filter(({ name }) => name === "protean.engine.handle_message").length, 8);
  });
}

prometheusTest("a real Prometheus scrapes the server and answers with its series", async () => {
  await using tasks = await Tasks.create(METRICS);
  const server = await tasks.start();
  await tasks.give(ids);
  await using prometheus = await Prometheus.start(server.port);
  await until(
    async () => await prometheus.query("sum(protean_subscription_messages_processed_total)") === "8",
    "Prometheus to have scraped eight",
    { within: 60_000 },
  );
  assertEquals(await prometheus.query('up{job="protean"}'), "1");
  assertEquals(await prometheus.query("protean_engine_active_subscriptions"), "1");
});
