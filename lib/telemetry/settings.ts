/**
 * `[telemetry]` with the standard variables beneath it (TEL-3): what the file says holds, then `OTEL_*`, then
 * the default.
 *
 * @module
 */
import type { LoadedConfig } from "../config/load.ts";
import { maskValue } from "../config/secrets.ts";
import { ConfigurationError } from "../errors.ts";

export type Signal = "metrics" | "traces";
export type Protocol = "grpc" | "http/protobuf" | "http/json";

const PROTOCOLS: readonly Protocol[] = ["grpc", "http/protobuf", "http/json"];

/** Where one signal goes. */
export interface Destination {
  readonly exporter: "otlp" | "console";
  readonly protocol: Protocol;
  /** The whole of it, with its path. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Of one export. */
  readonly timeoutMs: number;
  readonly gzip: boolean;
  /** File of the authorities that sign the collector's certificate. */
  readonly certificate: string | undefined;
}

export interface TelemetrySettings {
  readonly serviceName: string;
  readonly resource: Readonly<Record<string, string | number | boolean>>;
  /** Undefined: this signal is not exported. */
  readonly metrics: Destination | undefined;
  readonly traces: Destination | undefined;
  readonly intervalMs: number;
  readonly flushTimeoutMs: number;
  readonly semconv: boolean;
  readonly sampler: { readonly name: string; readonly ratio: number };
  /** Metrics are kept for whoever asks for them. */
  readonly scraped: boolean;
}

type Env = (name: string) => string | undefined;

/**
 * Undefined: nothing of it is on. Throws `ConfigurationError` for an endpoint that is no address, and for a
 * variable that cannot be obeyed.
 */
export function telemetrySettings(
  { normalizedName, config: { config, origins } }: {
    readonly normalizedName: string;
    readonly config: LoadedConfig;
  },
  env: Env,
): TelemetrySettings | undefined {
  const { telemetry, server: { metrics } } = config;
  const isExported = telemetry.enabled && env("OTEL_SDK_DISABLED")?.toLowerCase() !== "true";
  if (!isExported && !metrics.enabled) return undefined;
  const isSet = (key: string) => origins.has(`telemetry.${key}`);
  const variable = (name: string) => env(name) || undefined;
  const destination = (signal: Signal): Destination | undefined => {
    if (!isExported) return undefined;
    const own = `OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_`;
    const both = (key: string) => variable(`${own}${key}`) ?? variable(`OTEL_EXPORTER_OTLP_${key}`);
    const exporter = exporterOf(signal, isSet("exporter") ? telemetry.exporter : undefined, variable);
    if (exporter === "none") return undefined;
    const given = telemetry.endpoint ?? variable(`${own}ENDPOINT`) ?? variable("OTEL_EXPORTER_OTLP_ENDPOINT");
    const protocol = telemetry.protocol ?? protocolOf(both("PROTOCOL")) ?? guessed(given);
    // The variable of one signal is used as it stands.
    const isWhole = telemetry.endpoint === undefined && variable(`${own}ENDPOINT`) !== undefined;
    const place = telemetry.endpoint !== undefined
      ? "[telemetry] endpoint"
      : isWhole
      ? `${own}ENDPOINT`
      : "OTEL_EXPORTER_OTLP_ENDPOINT";
    return {
      exporter,
      protocol,
      url: urlOf(signal, protocol, { endpoint: given, isWhole, place }),
      headers: headersOf(both("HEADERS")),
      timeoutMs: milliseconds(both("TIMEOUT"), "OTEL_EXPORTER_OTLP_TIMEOUT") ?? 10_000,
      gzip: both("COMPRESSION") === "gzip",
      certificate: both("CERTIFICATE"),
    };
  };
  return {
    serviceName: telemetry.service_name ?? variable("OTEL_SERVICE_NAME") ?? normalizedName,
    resource: { ...listOf(variable("OTEL_RESOURCE_ATTRIBUTES")), ...telemetry.resource_attributes },
    metrics: destination("metrics"),
    traces: destination("traces"),
    intervalMs: milliseconds(variable("OTEL_METRIC_EXPORT_INTERVAL"), "OTEL_METRIC_EXPORT_INTERVAL") ??
      60_000,
    flushTimeoutMs: telemetry.flush_timeout_seconds * 1000,
    semconv: telemetry.semconv,
    sampler: samplerOf(isSet("trace_sample_ratio") ? telemetry.trace_sample_ratio : undefined, variable),
    scraped: metrics.enabled,
  };
}

function exporterOf(
  signal: Signal,
  own: "otlp" | "console" | undefined,
  variable: Env,
): Destination["exporter"] | "none" {
  if (own) return own;
  const name = `OTEL_${signal.toUpperCase()}_EXPORTER`;
  const value = variable(name) ?? "otlp";
  // Prometheus asks for metrics; nothing is sent there.
  if (value === "none" || value === "prometheus") return "none";
  if (value === "otlp" || value === "console") return value;
  throw wrong(name, value, "otlp, console or none");
}

function protocolOf(value: string | undefined): Protocol | undefined {
  if (value === undefined) return undefined;
  const found = PROTOCOLS.find((protocol) => protocol === value);
  if (found) return found;
  throw wrong("OTEL_EXPORTER_OTLP_PROTOCOL", value, PROTOCOLS.join(", "));
}

/** The guide's endpoint, port 4317, speaks gRPC; port 4318 and a path of OTLP over HTTP do not. */
function guessed(endpoint: string | undefined): Protocol {
  const url = endpoint === undefined ? undefined : URL.parse(endpoint);
  return url && (url.port === "4318" || url.pathname.includes("/v1/")) ? "http/protobuf" : "grpc";
}

const GRPC_PATHS: Readonly<Record<Signal, string>> = {
  metrics: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
  traces: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
};

function urlOf(
  signal: Signal,
  protocol: Protocol,
  { endpoint, isWhole, place }: {
    readonly endpoint: string | undefined;
    readonly isWhole: boolean;
    /** Where it is from, for the error. */
    readonly place: string;
  },
): string {
  const given = endpoint ?? (protocol === "grpc" ? "http://localhost:4317" : "http://localhost:4318");
  const url = URL.parse(given);
  if (!url || !/^https?:$/.test(url.protocol) || url.hostname === "") {
    throw new ConfigurationError(
      `${place} is '${
        maskValue("endpoint", given)
      }', which is no address of a collector: use http://otel-collector:4317.`,
      { code: "CONFIG_INVALID_VALUE" },
    );
  }
  url.hash = "";
  if (protocol === "grpc") return `${url.origin}${GRPC_PATHS[signal]}`;
  if (isWhole) return url.href;
  const base = url.pathname.replace(/\/(v1\/(metrics|traces|logs))?\/?$/, "");
  url.pathname = `${base}/v1/${signal}`;
  return url.href;
}

/** `key=value,key=value`, percent-encoded, as the standard variables have it. */
function listOf(text: string | undefined): Record<string, string> {
  const found: Record<string, string> = {};
  for (const part of (text ?? "").split(",")) {
    const at = part.indexOf("=");
    if (at > 0) found[part.slice(0, at).trim()] = decoded(part.slice(at + 1).trim());
  }
  return found;
}

function headersOf(text: string | undefined): Record<string, string> {
  const headers = listOf(text);
  for (const [name, value] of Object.entries(headers)) {
    try {
      new Headers([[name, value]]);
    } catch {
      throw new ConfigurationError(
        `OTEL_EXPORTER_OTLP_HEADERS names a header '${name}' that cannot be sent: write name=value pairs with commas between.`,
        { code: "CONFIG_INVALID_VALUE" },
      );
    }
  }
  return headers;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function milliseconds(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isFinite(value) && value >= 1) return Math.min(value, 3_600_000);
  throw wrong(name, text, "milliseconds, 1 or more");
}

const SAMPLERS = [
  "parentbased_traceidratio",
  "traceidratio",
  "parentbased_always_on",
  "always_on",
  "parentbased_always_off",
  "always_off",
];
const RATIO = 0.01;

function samplerOf(own: number | undefined, variable: Env): TelemetrySettings["sampler"] {
  if (own !== undefined) return { name: "parentbased_traceidratio", ratio: own };
  const name = variable("OTEL_TRACES_SAMPLER") ?? "parentbased_traceidratio";
  if (!SAMPLERS.includes(name)) throw wrong("OTEL_TRACES_SAMPLER", name, SAMPLERS.join(", "));
  const text = variable("OTEL_TRACES_SAMPLER_ARG");
  const ratio = text === undefined ? RATIO : Number(text);
  if (ratio >= 0 && ratio <= 1) return { name, ratio };
  throw wrong("OTEL_TRACES_SAMPLER_ARG", text ?? "", "a share from 0 to 1");
}

function wrong(name: string, value: string, expected: string): ConfigurationError {
  return new ConfigurationError(`${name} is '${value}': use ${expected}.`, { code: "CONFIG_INVALID_VALUE" });
}
