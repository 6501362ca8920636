/**
 * `[logging]`, `[telemetry]`, `[observatory]` and `[lint]` (wire 7.4; design 6).
 *
 * @module
 */
import * as z from "zod";
import { REDACTED_WORDS } from "../secrets.ts";
import { above, atLeast, flag, share, text, texts, whole } from "../fields.ts";

const LEVELS = ["", "trace", "debug", "info", "warning", "warn", "error", "fatal", "critical"] as const;

const level = () => z.string().toLowerCase().pipe(z.enum(LEVELS));

/** `[logging]`. */
export const loggingSchema = z.strictObject({
  level: level().default("").describe("debug, info, warning or error; empty: info."),
  format: z.enum(["auto", "console", "json"]).default("auto").describe(
    "auto: JSON lines where nobody watches.",
  ),
  log_dir: z.string().default(""),
  log_file_prefix: z.string().default("protean"),
  max_bytes: whole(0).default(10_485_760),
  backup_count: whole(0).default(5),
  slow_handler_threshold_ms: atLeast(0).default(500).describe(
    "A handler run that takes longer is told at warning; 0: none is.",
  ),
  slow_query_threshold_ms: atLeast(0).default(100),
  slow_query_truncate_chars: whole(1).default(500),
  redact: texts().default([...REDACTED_WORDS]).describe(
    "Names of properties that are never written, beside those that name a secret anyway.",
  ),
  per_logger: z.record(z.string(), level()).default({}).describe(
    "Levels of single loggers, such as protean.outbox.",
  ),
  sampling: z.strictObject({
    enabled: flag().default(false).describe("False: every one of them is written."),
    default_rate: share().default(0.05),
    always_keep_errors: flag().default(true),
    always_keep_slow: flag().default(true),
    critical_streams: texts().default([]),
  }).prefault({}).describe(
    "Of the events about handled messages (logger protean.access), the share that is written.",
  ),
  http: z.strictObject({
    enabled: flag().default(true),
    log_request_headers: flag().default(false),
    log_response_headers: flag().default(false),
    exclude_paths: texts().default([]),
  }).prefault({}),
}).prefault({}).describe("Logs.");

/** `[telemetry]`. */
export const telemetrySchema = z.strictObject({
  enabled: flag().default(false).describe("Export metrics and traces."),
  service_name: text().optional().describe("The normalized domain name when absent."),
  exporter: z.enum(["otlp", "console"]).default("otlp").describe("console: to stderr, for a look."),
  endpoint: text().optional().describe("Such as http://otel-collector:4317."),
  protocol: z.enum(["grpc", "http/protobuf", "http/json"]).optional()
    .describe("When absent: gRPC, or http/protobuf on port 4318."),
  resource_attributes: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({})
    .describe("Attributes of this process, beside service.name and the like."),
  semconv: flag().default(false).describe("Emit the messaging.* instruments as well."),
  trace_sample_ratio: share().default(0.01).describe(
    "Share of traces that begin here and are kept; those that come with a message follow its own choice.",
  ),
  flush_timeout_seconds: above(0).default(2).describe("Seconds the last export may take."),
}).prefault({}).describe("OpenTelemetry.");

/** `[observatory]`. */
export const observatorySchema = z.strictObject({
  host: text().default("127.0.0.1").describe("Where `observatory` listens; off loopback it needs a token."),
  port: whole(0, 65_535).default(9000).describe("0: any that is free; the log says which."),
  token: text().optional().describe("Bearer token that whoever asks the observatory has to bring."),
  rollups: flag().default(true).describe("Keep for 26 hours what each subscription did in each minute."),
  trace_retention_days: atLeast(0).default(0).describe("Days that message traces are kept; 0 writes none."),
}).prefault({}).describe("What `protean-server observatory` serves.");

/** `[lint]`: what `check` reports. */
export const lintSchema = z.strictObject({
  level: z.enum(["error", "warn", "warning", "info"]).default("warn").describe(
    "Lowest level that fails check.",
  ),
  suppressions: z.record(z.string(), whole(0)).default({}).describe("How many findings of a code to ignore."),
  aggregate_size_limit: whole(1).default(5),
  handler_breadth_limit: whole(1).default(5),
  rules: texts().default([]),
  check_infra_imports: flag().default(false),
  check_adapter_calls: flag().default(false),
}).prefault({}).describe("What check reports.");
