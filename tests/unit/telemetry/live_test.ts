import { assert, assertEquals, assertLess } from "@std/assert";
import * as z from "zod";
import { Domain, Engine, on } from "../../../lib/mod.ts";
import { runtimeOf } from "../../../lib/domain/runtime.ts";
import { OtlpSink } from "../../support/otlp_sink.ts";
import { until } from "../../support/until.ts";

function jobs() {
  const domain = new Domain("jobs");
  const Job = domain.aggregate("Job", { schema: z.object({ id: z.string() }), identity: "id" });
  const Begin = domain.command("Begin", { partOf: Job, schema: z.object({ id: z.string() }) });
  const Begun = domain.event("Begun", { partOf: Job, schema: z.object({ id: z.string() }) });
  domain.commandHandler("Commands", {
    partOf: Job,
    handles: [
      on(Begin, async ({ id }, ctx) => {
        if (id === "bad") throw new RangeError(`refused: secret-payload`);
        if (id.startsWith("bad-")) throw Object.assign(new Error(id), { name: id });
        const job = Job.create({ id });
        job.raise(Begun, { id });
        await ctx.repository(Job).add(job);
      }),
    ],
  });
  domain.eventHandler("Events", { partOf: Job, handles: [on(Begun, () => {})] });
  return { domain, Begin };
}

function config(telemetry: Record<string, unknown>, metrics = false) {
  return {
    databases: { default: { provider: "memory" } },
    brokers: { default: { provider: "memory" } },
    caches: { default: { provider: "memory" } },
    event_store: { provider: "memory" },
    server: {
      health: { enabled: false },
      metrics: { enabled: metrics },
      stream_subscription: { max_retries: 1 },
    },
    telemetry,
  };
}

for (const protocol of ["grpc", "http/protobuf", "http/json"]) {
  Deno.test(`over ${protocol} the last values of every instrument arrive at the end`, async () => {
    await using sink = new OtlpSink();
    const { domain, Begin } = jobs();
    await domain.init({
      config: config({
        ...{ enabled: true, endpoint: `http://127.0.0.1:${sink.port}`, protocol, service_name: "shop" },
        ...{ trace_sample_ratio: 1, resource_attributes: { team: "blue" } },
      }),
    });
    await domain.process(Begin, { id: "good" }, { correlationId: "c".repeat(100_000) });
    await domain.process(Begin, { id: "bad" });
    assertEquals(await new Engine(domain, { once: true }).run(), 0);
    const of = (name: string): Record<string, unknown>[] =>
      sink.points(name).map(({ attributes, value, count }) => ({ ...attributes, n: count ?? value }))
        .sort((a, b) => JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
    assertEquals(of("protean.subscription.messages_processed"), [
      { subscription: "Commands", handler: "Commands", stream: "jobs::job:command", status: "error", n: 1 },
      { subscription: "Commands", handler: "Commands", stream: "jobs::job:command", status: "ok", n: 1 },
      { subscription: "Events", handler: "Events", stream: "jobs::job", status: "ok", n: 1 },
    ]);
    assertEquals(of("protean.subscription.dlq_routed").map((point) => point["n"]), [1]);
    assertEquals(of("protean.command.processed"), [
      { command_type: "Jobs.Begin.v1", status: "enqueued", n: 2 },
    ]);
    assertEquals(of("protean.handler.invocations").length, 3);
    assertEquals(of("protean.handler.duration").length, 3);
    assertEquals(of("protean.outbox.published"), [{ n: 3 }]);
    assertEquals(of("protean.outbox.latency"), [{ n: 3 }]);
    assertEquals(of("protean.subscription.processing_duration").length, 2);
    assertEquals(of("protean.subscription.critical_time").length, 2);
    assertEquals(of("protean.engine.up"), [{ n: 1 }]);
    assertEquals(of("protean.engine.active_subscriptions"), [{ n: 2 }]);
    assert(Number(of("protean.uow.commits")[0]?.["n"]) >= 4);
    const [first] = sink.requests;
    assertEquals([first?.resource["service.name"], first?.resource["team"]], ["shop", "blue"]);
    const [trace] = new Set(sink.spans.map(({ traceId }) => traceId));
    const own = sink.spans.filter(({ traceId }) => traceId === trace).map(({ name }) => name);
    for (
      const name of [
        ...["protean.command.process", "protean.outbox.publish", "protean.engine.handle_message"],
        ...["protean.handler.execute", "protean.uow.commit"],
      ]
    ) {
      assert(own.includes(name), `${name} is missing in ${own}`);
    }
    assert(sink.spans.some(({ name, failed }) => name === "protean.handler.execute" && failed));
    const said = JSON.stringify(sink.spans, (_, value) => typeof value === "bigint" ? String(value) : value);
    assert(said.includes("RangeError at ") && !said.includes("secret-payload"));
    // A collector refuses a whole batch for one span that is too large.
    assertLess(said.length, 100_000);
    assert(said.includes("c".repeat(1_000)));
  });
}

Deno.test("ten thousand messages with ids of their own leave the number of series as it was", async () => {
  await using sink = new OtlpSink();
  const { domain, Begin } = jobs();
  await domain.init({
    config: config({ enabled: true, endpoint: `http://127.0.0.1:${sink.port}` }, true),
  });
  await using _ = domain;
  const { telemetry } = runtimeOf(domain);
  const series = async () =>
    (await telemetry?.scrape() ?? "").split("\n").filter((line) => line !== "" && !line.startsWith("#"))
      .length;
  const run = async (from: number, to: number) => {
    for (let at = from; at < to; at++) {
      await domain.process(Begin, { id: `job-${at}` }, { asynchronous: false });
    }
  };
  await run(0, 10);
  const before = await series();
  await run(10, 10_010);
  assertEquals(await series(), before);
  assert(before > 10);
});

Deno.test("hostile type names, ids and errors of handlers leave the number of series as it was", async () => {
  const { domain, Begin } = jobs();
  await domain.init({ config: config({}, true) });
  const { telemetry, brokers } = runtimeOf(domain);
  const scrape = async () => await telemetry?.scrape() ?? "";
  const series = (page: string) =>
    page.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
  const stop = new AbortController();
  const running = new Engine(domain).run({ signal: stop.signal });
  let sent = 0;
  const send = async (count: number): Promise<string> => {
    const texts = Array.from({ length: count }, (_, index) => {
      const name = `x"}\n${sent + index}\\` + "y".repeat(500);
      const headers = { id: name, type: `Jobs.${name}.v1`, stream: `jobs::job-${name}` };
      return {
        stream: "jobs::job",
        data: JSON.stringify({ data: {}, metadata: { headers, domain: { kind: "EVENT" } } }),
      };
    });
    await brokers.get("default")?.publish(texts);
    for (let at = 0; at < count; at++) {
      const id = `bad-${sent + at}`;
      await domain.process(Begin, { id }, { asynchronous: false }).catch(() => {});
    }
    sent += count;
    const dead = new RegExp(`outcome="dead_lettered"\\} ${sent}$`, "m");
    let page = "";
    await until(async () => dead.test(page = await scrape()), `${sent} dead letters`);
    return page;
  };
  const before = await send(10);
  const after = await send(1_000);
  assertEquals([series(after), /yyyy|bad-/.test(after)], [series(before), false]);
  stop.abort();
  assertEquals(await running, 0);
});

Deno.test("a collector that is away, refuses or never answers delays the end by its time limit at most", async () => {
  for (const answer of [undefined, 503, "never"] as const) {
    await using sink = new OtlpSink();
    const over = new AbortController();
    const gone = Promise.withResolvers<void>();
    over.signal.addEventListener("abort", () => gone.resolve());
    sink.answer(() =>
      answer === "never"
        ? gone.promise.then(() => new Response())
        : new Response("busy", { status: answer ?? 200 })
    );
    const port = answer === undefined ? 1 : sink.port;
    const { domain, Begin } = jobs();
    const endpoint = `http://127.0.0.1:${port}/v1/metrics`;
    await domain.init({ config: config({ enabled: true, endpoint, flush_timeout_seconds: 0.2 }) });
    await domain.process(Begin, { id: "good" });
    const began = performance.now();
    assertEquals(await new Engine(domain, { once: true }).run(), 0);
    assertLess(performance.now() - began, 5_000);
    over.abort();
  }
});

Deno.test("off: nothing is opened, and no observer is told", async () => {
  const { domain } = jobs();
  await using _ = domain;
  await domain.init({ config: config({}) });
  assertEquals(runtimeOf(domain).telemetry, undefined);
});

Deno.test("a dead-letter queue's depth, age and alerts arrive as its maintenance saw them", async () => {
  await using sink = new OtlpSink();
  const { domain, Begin } = jobs();
  const alerted = Promise.withResolvers<void>();
  domain.onDlqAlert(() => alerted.resolve());
  const { server, ...rest } = config({ enabled: true, endpoint: `http://127.0.0.1:${sink.port}` });
  const dlq = { enabled: true, alert_threshold: 1, check_interval_seconds: 0.05 };
  await domain.init({ config: { ...rest, server: { ...server, dlq } } });
  await domain.process(Begin, { id: "bad" });
  const stop = new AbortController();
  const running = new Engine(domain).run({ signal: stop.signal });
  await alerted.promise;
  stop.abort();
  assertEquals(await running, 0);
  const of = (name: string) =>
    sink.points(name).map(({ attributes, value }) => [attributes["dlq_stream"], value]);
  assertEquals(of("protean.dlq.depth").find(([stream]) => stream === "jobs::job:command:dlq")?.[1], 1);
  const [[alertedStream, alerts] = []] = of("protean.dlq.alerts");
  assertEquals([alertedStream, Number(alerts) > 0], ["jobs::job:command:dlq", true]);
  const [[stream, age] = []] = of("protean.dlq.oldest_age");
  assertEquals([stream, Number(age) >= 0 && Number(age) < 60], ["jobs::job:command:dlq", true]);
  await domain.close();
});
