/**
 * `docs/reference/metrics.md`, made from the catalogue of instruments.
 *
 * @module
 */
import {
  COUNTS,
  type Instrument,
  INSTRUMENTS,
  LONG_SECONDS,
  OBSERVED,
  SECONDS,
} from "../lib/telemetry/metrics/catalogue.ts";
import { prometheusName } from "../lib/telemetry/metrics/prometheus.ts";

const HEAD = `<!-- Made by \`deno task docs\` from lib/telemetry/metrics/catalogue.ts. Do not edit. -->

# Metrics

Every instrument, by its name in OpenTelemetry and in Prometheus. They are there where \`[telemetry] enabled\` or \`[server.metrics] enabled\` is true; otherwise nothing of OpenTelemetry is loaded.

No attribute ever holds an id: the number of series is bounded by handlers, streams and outcomes, and at 2,000 for one instrument (then \`otel_metric_overflow="true"\`). With several workers each sample on \`/metrics\` bears \`worker\`, the number of its place, which a restart keeps. Gauges about a whole group (lag, pending, dead letters, outbox) are told by every worker alike: take \`max\`, never \`sum\`. A figure that is not known is not there.

\`protean-server observatory\` has on its \`/metrics\` the gauges about groups, outbox, dead letters and brokers, and of every worker what its heartbeat tells (\`protean_engine_up\`, \`_uptime_seconds\`, \`_active_subscriptions\`, \`_event_loop_delay_seconds\`, \`protean_db_pool_*\`, \`protean_subscription_in_flight\`, \`_retrying\`, \`_paused\`, \`_last_poll_age_seconds\`), which bears \`source="heartbeat"\`: whoever scrapes both sums by \`source\` first.
`;

const PARTS: readonly (readonly [string, (instrument: Instrument) => boolean])[] = [
  ["Counted and timed", ({ kind, group }) => kind !== "gauge" && group === undefined],
  ["Gauges", (instrument) => instrument.kind === "gauge" && !isObserved(instrument)],
  ["Gauges of the observatory alone", (instrument) => isObserved(instrument)],
  ["Semantic conventions, with `[telemetry] semconv = true`", ({ group }) => group === "semconv"],
];

function isObserved({ name }: Instrument): boolean {
  return Object.values(OBSERVED).some((observed) => observed.name === name);
}

/** The text of the page. */
export function metricsPage(): string {
  const parts = PARTS.map(([title, belongs]) => {
    const rows = INSTRUMENTS.filter(belongs).map(rowOf);
    return `## ${title}\n\n| name | in Prometheus | kind | unit | attributes | |\n| --- | --- | --- | --- | --- | --- |\n${
      rows.join("\n")
    }\n`;
  });
  const buckets = `## Buckets\n\n- seconds: ${SECONDS.join(", ")}\n- critical time: ${
    LONG_SECONDS.join(", ")
  }\n- counts: ${COUNTS.join(", ")}\n`;
  return [HEAD, ...parts, buckets].join("\n");
}

function rowOf({ name, kind, unit, description, attributes }: Instrument): string {
  const prometheus = prometheusName({ name, unit, kind: kind === "counter" ? "counter" : "other" });
  const cells = [
    ...[`\`${name}\``, `\`${prometheus}\``, kind, unit === "" ? "" : `\`${unit}\``],
    attributes.map((attribute) => `\`${attribute}\``).join(", "),
    description,
  ];
  return `| ${cells.join(" | ")} |`;
}
