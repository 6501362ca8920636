import { assertEquals, assertThrows } from "@std/assert";
import { loadConfig } from "../../../lib/config/load.ts";
import { ConfigurationError } from "../../../lib/errors.ts";
import { type TelemetrySettings, telemetrySettings } from "../../../lib/telemetry/settings.ts";

async function settings(
  telemetry: Record<string, unknown>,
  variables: Record<string, string> = {},
): Promise<TelemetrySettings | undefined> {
  const config = await loadConfig({ domain: "my_shop", config: { telemetry } });
  return telemetrySettings({ normalizedName: "my_shop", config }, (name) => variables[name]);
}

async function metricsOf(telemetry: Record<string, unknown>, variables: Record<string, string> = {}) {
  return (await settings({ enabled: true, ...telemetry }, variables))?.metrics;
}

Deno.test("telemetry is off unless it is switched on, and OTEL_SDK_DISABLED switches it off", async () => {
  assertEquals(await settings({}), undefined);
  assertEquals(await settings({ enabled: true }, { OTEL_SDK_DISABLED: "true" }), undefined);
});

Deno.test("the guide's endpoint means gRPC, port 4318 and a path of v1 mean HTTP, protocol goes before", async () => {
  const grpc = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
  for (
    const [endpoint, protocol, url] of [
      ["http://otel-collector:4317", "grpc", `http://otel-collector:4317${grpc}`],
      ["http://otel-collector:4318", "http/protobuf", "http://otel-collector:4318/v1/metrics"],
      ["http://otel-collector:4318/", "http/protobuf", "http://otel-collector:4318/v1/metrics"],
      ["https://c/otlp/v1/metrics", "http/protobuf", "https://c/otlp/v1/metrics"],
      ["https://c/otlp/v1/traces", "http/protobuf", "https://c/otlp/v1/metrics"],
      ["http://[::1]:4317", "grpc", `http://[::1]:4317${grpc}`],
    ] as const
  ) {
    const found = await metricsOf({ endpoint });
    assertEquals([found?.protocol, found?.url], [protocol, url], endpoint);
  }
  const json = await metricsOf({ endpoint: "http://c:4317", protocol: "http/json" });
  assertEquals([json?.protocol, json?.url], ["http/json", "http://c:4317/v1/metrics"]);
});

Deno.test("without an endpoint it is the standard variables', then this machine", async () => {
  assertEquals((await metricsOf({}))?.url.startsWith("http://localhost:4317/"), true);
  const of = async (variables: Record<string, string>) => (await metricsOf({}, variables))?.url;
  assertEquals(
    await of({
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318/base",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
    }),
    "http://c:4318/base/v1/metrics",
  );
  // The variable of one signal is the whole address.
  assertEquals(
    await of({
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "http://c:9/in",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
    }),
    "http://c:9/in",
  );
});

Deno.test("what the file says goes before the standard variables", async () => {
  const found = await settings(
    {
      enabled: true,
      endpoint: "http://file:4317",
      service_name: "file",
      resource_attributes: { team: "file" },
    },
    {
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://variable:4317",
      OTEL_SERVICE_NAME: "variable",
      OTEL_RESOURCE_ATTRIBUTES: "team=variable,region=eu%20west",
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20x",
      OTEL_METRIC_EXPORT_INTERVAL: "5000",
    },
  );
  assertEquals([found?.serviceName, found?.resource, found?.metrics?.headers, found?.intervalMs], [
    "file",
    { team: "file", region: "eu west" },
    { authorization: "Bearer x" },
    5000,
  ]);
  assertEquals(found?.metrics?.url.startsWith("http://file:4317/"), true);
});

Deno.test("the sampler is 1 % of what begins here, or as the file or the standard variables say", async () => {
  const sampler = async (telemetry: Record<string, unknown>, variables: Record<string, string> = {}) =>
    (await settings({ enabled: true, ...telemetry }, variables))?.sampler;
  assertEquals(await sampler({}), { name: "parentbased_traceidratio", ratio: 0.01 });
  assertEquals(await sampler({}, { OTEL_TRACES_SAMPLER: "always_on" }), { name: "always_on", ratio: 0.01 });
  assertEquals(await sampler({}, { OTEL_TRACES_SAMPLER_ARG: "0.5" }), {
    name: "parentbased_traceidratio",
    ratio: 0.5,
  });
  assertEquals((await sampler({ trace_sample_ratio: 1 }, { OTEL_TRACES_SAMPLER: "always_off" }))?.ratio, 1);
});

Deno.test("one signal can be left out", async () => {
  const found = await settings({ enabled: true }, { OTEL_TRACES_EXPORTER: "none" });
  assertEquals([found?.traces, found?.metrics?.exporter], [undefined, "otlp"]);
});

Deno.test("what cannot be obeyed is said in one sentence", async () => {
  const cases: readonly [Record<string, unknown>, Record<string, string>, string][] = [
    [
      { endpoint: "otel-collector:4317" },
      {},
      "[telemetry] endpoint is 'otel-collector:4317', which is no address",
    ],
    [{ endpoint: "ftp://x" }, {}, "no address of a collector"],
    [{ endpoint: "ftp://u:hunter2@x" }, {}, "[telemetry] endpoint is 'ftp://u:***@x'"],
    [
      {},
      { OTEL_EXPORTER_OTLP_ENDPOINT: "u:hunter2@collector:4317" },
      "OTEL_EXPORTER_OTLP_ENDPOINT is '***', which is no address",
    ],
    [
      {},
      { OTEL_EXPORTER_OTLP_PROTOCOL: "carrier-pigeon" },
      "OTEL_EXPORTER_OTLP_PROTOCOL is 'carrier-pigeon'",
    ],
    [{}, { OTEL_METRICS_EXPORTER: "smoke" }, "OTEL_METRICS_EXPORTER is 'smoke'"],
    [{}, { OTEL_METRIC_EXPORT_INTERVAL: "soon" }, "OTEL_METRIC_EXPORT_INTERVAL is 'soon'"],
    [{}, { OTEL_TRACES_SAMPLER_ARG: "2" }, "OTEL_TRACES_SAMPLER_ARG is '2'"],
    [{}, { OTEL_EXPORTER_OTLP_HEADERS: "bad header=x" }, "a header 'bad header' that cannot be sent"],
  ];
  for (const [telemetry, variables, message] of cases) {
    const config = await loadConfig({ domain: "d", config: { telemetry: { enabled: true, ...telemetry } } });
    assertThrows(
      () => telemetrySettings({ normalizedName: "d", config }, (name) => variables[name]),
      ConfigurationError,
      message,
    );
  }
});
