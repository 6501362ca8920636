/** What is counted beside the SDK is what the SDK would have counted. */
import { assertEquals } from "@std/assert";
import type { Attributes } from "@opentelemetry/api";
import { DataPointType, MeterProvider, type MetricData } from "@opentelemetry/sdk-metrics";
import { OnDemandReader } from "../../../lib/telemetry/metrics/on_demand.ts";
import { Tallies } from "../../../lib/telemetry/metrics/tallies.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";

const SCOPE = { name: "protean", version: "1" };
const COUNTER = {
  ...{ kind: "counter" as const, name: "shop.count", unit: "{message}", description: "Messages." },
  attributes: ["a", "b"],
};
const HISTOGRAM = {
  ...COUNTER,
  kind: "histogram" as const,
  name: "shop.time",
  unit: "s",
  description: "Time.",
};
const BOUNDARIES = [0.1, 1, 10];

/** Everything of a metric but the moments. */
function shown(metric: MetricData | undefined): unknown {
  return metric && {
    ...{ ...metric, descriptor: { ...metric.descriptor, advice: undefined, type: undefined } },
    dataPoints: metric.dataPoints.map(({ attributes, value }) => [attributes, value]),
  };
}

async function both(
  work: (
    counter: { add(n: number, a?: Attributes): void },
    histogram: { record(n: number, a?: Attributes): void },
  ) => void,
  mostSeries = 100,
): Promise<[own: unknown, sdk: unknown]> {
  const tallies = new Tallies({ scope: SCOPE, clock: new FakeClock(), mostSeries });
  work(tallies.counter(COUNTER), tallies.histogram(HISTOGRAM, BOUNDARIES));
  const reader = new OnDemandReader(mostSeries);
  const provider = new MeterProvider({ readers: [reader] });
  const meter = provider.getMeter(SCOPE.name, SCOPE.version);
  const { name, unit, description } = HISTOGRAM;
  work(
    meter.createCounter(COUNTER.name, { unit: COUNTER.unit, description: COUNTER.description }),
    meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries: BOUNDARIES } }),
  );
  const { resourceMetrics } = await reader.collect();
  await provider.shutdown();
  const own = await tallies.collect();
  return [own.resourceMetrics, resourceMetrics].map(({ scopeMetrics }) =>
    scopeMetrics.map(({ scope, metrics }) => [scope.name, scope.version, metrics.map(shown)])
  ) as [unknown, unknown];
}

Deno.test("sums and distributions are those of the SDK, whatever object the attributes are", async () => {
  const same = { a: "x", b: "y" };
  const [own, sdk] = await both((counter, histogram) => {
    for (const [at, value] of [0, 0.05, 0.1, 0.100001, 1, 9, 10, 11, 1e9, -1].entries()) {
      const attributes = [same, { b: "y", a: "x" }, { a: "z" }, undefined][at % 4];
      counter.add(Math.abs(value), attributes);
      histogram.record(value, attributes);
    }
  });
  assertEquals(own, sdk);
});

Deno.test("series beyond the most are one, as with the SDK", async () => {
  const [own, sdk] = await both((counter, histogram) => {
    for (let n = 0; n < 50; n++) {
      counter.add(n, { a: `a${n}` });
      histogram.record(n, { a: `a${n % 20}` });
    }
  }, 10);
  assertEquals(own, sdk);
});

Deno.test("what nobody has told is no metric, and a value that is no number is none", async () => {
  const tallies = new Tallies({ scope: SCOPE, clock: new FakeClock(), mostSeries: 10 });
  tallies.counter(COUNTER);
  tallies.histogram(HISTOGRAM, BOUNDARIES).record(NaN);
  const { resourceMetrics, errors } = await tallies.collect();
  assertEquals([resourceMetrics.scopeMetrics, errors], [[], []]);
});

Deno.test("figures are from the start to now", async () => {
  const clock = new FakeClock(1_500);
  const tallies = new Tallies({ scope: SCOPE, clock, mostSeries: 10 });
  tallies.counter(COUNTER).add(1);
  await clock.advance(2_250);
  const [metric] = (await tallies.collect()).resourceMetrics.scopeMetrics[0]?.metrics ?? [];
  const [point] = metric?.dataPoints ?? [];
  assertEquals([metric?.dataPointType, point?.startTime, point?.endTime], [
    DataPointType.SUM,
    [1, 500_000_000],
    [3, 750_000_000],
  ]);
});
