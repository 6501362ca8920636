/** What a page of metrics says of a gauge that is told no more. */
import { assertEquals } from "@std/assert";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { OnDemandReader } from "../../../lib/telemetry/metrics/on_demand.ts";
import { prometheusText } from "../../../lib/telemetry/metrics/prometheus.ts";

Deno.test("a figure that is not known any more is not there, and counters stay", async () => {
  const reader = new OnDemandReader(10);
  const meter = new MeterProvider({ readers: [reader] }).getMeter("protean");
  let lags: readonly string[] = ["a", "b"];
  meter.createObservableGauge("lag").addCallback((result) =>
    lags.forEach((stream) => result.observe(7, { stream }))
  );
  const counter = meter.createCounter("handled");
  const samples = async () =>
    prometheusText((await reader.collect()).resourceMetrics).match(/^[a-z].*$/gm)?.toSorted();
  counter.add(2);
  assertEquals(await samples(), ["handled_total 2", 'lag{stream="a"} 7', 'lag{stream="b"} 7']);
  lags = ["b"];
  assertEquals(await samples(), ["handled_total 2", 'lag{stream="b"} 7']);
  lags = [];
  counter.add(1);
  assertEquals(await samples(), ["handled_total 3"]);
});
