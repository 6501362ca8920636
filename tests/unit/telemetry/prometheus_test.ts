import { assertEquals, assertMatch } from "@std/assert";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { INSTRUMENTS } from "../../../lib/telemetry/metrics/catalogue.ts";
import { prometheusName, prometheusText } from "../../../lib/telemetry/metrics/prometheus.ts";

class Reader extends MetricReader {
  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }
  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}

async function textOf(fill: (meter: ReturnType<MeterProvider["getMeter"]>) => void, labels = {}) {
  const reader = new Reader();
  const provider = new MeterProvider({ readers: [reader] });
  fill(provider.getMeter("protean"));
  const { resourceMetrics } = await reader.collect();
  await provider.shutdown();
  return prometheusText(resourceMetrics, labels);
}

Deno.test("a counter ends in _total, a histogram has its unit in its name, a gauge is as it is", async () => {
  const text = await textOf((meter) => {
    meter.createCounter("protean.subscription.messages_processed", { unit: "{message}", description: "Ran." })
      .add(3, { handler: "A", status: "ok" });
    meter.createHistogram("protean.handler.duration", {
      unit: "s",
      advice: { explicitBucketBoundaries: [0.01, 1] },
    }).record(0.5, { handler_name: "A" });
    meter.createObservableGauge("protean.engine.uptime_seconds", { unit: "s" })
      .addCallback((result) => result.observe(7));
  }, { worker: "2" });
  assertEquals(text.split("\n"), [
    "# HELP protean_subscription_messages_processed_total Ran.",
    "# TYPE protean_subscription_messages_processed_total counter",
    'protean_subscription_messages_processed_total{handler="A",status="ok",worker="2"} 3',
    "# TYPE protean_handler_duration_seconds histogram",
    'protean_handler_duration_seconds_bucket{handler_name="A",worker="2",le="0.01"} 0',
    'protean_handler_duration_seconds_bucket{handler_name="A",worker="2",le="1"} 1',
    'protean_handler_duration_seconds_bucket{handler_name="A",worker="2",le="+Inf"} 1',
    'protean_handler_duration_seconds_sum{handler_name="A",worker="2"} 0.5',
    'protean_handler_duration_seconds_count{handler_name="A",worker="2"} 1',
    "# TYPE protean_engine_uptime_seconds gauge",
    'protean_engine_uptime_seconds{worker="2"} 7',
    "",
  ]);
});

Deno.test("labels keep quotes, backslashes and line ends", async () => {
  const text = await textOf((meter) => meter.createCounter("c").add(1, { "a.b": 'x"y\\z\n' }));
  assertEquals(text, '# TYPE c_total counter\nc_total{a_b="x\\"y\\\\z\\n"} 1\n');
});

Deno.test("nothing counted is nothing said", async () => {
  assertEquals(await textOf((meter) => void meter.createCounter("c")), "");
});

Deno.test("every instrument has a name of its own in Prometheus, and none a unit twice", () => {
  const names = INSTRUMENTS.map(({ name, unit, kind }) =>
    prometheusName({ name, unit, kind: kind === "counter" ? "counter" : "other" })
  );
  assertEquals(new Set(names).size, names.length);
  for (const name of names) {
    assertMatch(name, /^[a-z][a-z0-9_]*$/);
    assertEquals(/seconds_seconds|total_total/.test(name), false, name);
  }
});
