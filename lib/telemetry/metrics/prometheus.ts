/**
 * Metrics as Prometheus reads them (text format 0.0.4): dots become underscores, seconds end in `_seconds`,
 * counters in `_total`, annotation units are dropped (design 10).
 *
 * @module
 */
import type { Attributes } from "@opentelemetry/api";
import { DataPointType, type MetricData, type ResourceMetrics } from "@opentelemetry/sdk-metrics";

/** Units that become the end of a name. */
const UNITS: ReadonlyMap<string, string> = new Map([["s", "seconds"], ["By", "bytes"]]);

/** Name of an instrument in Prometheus. Returns what `docs/reference/metrics.md` and the dashboards use. */
export function prometheusName(
  { name, unit, kind }: { readonly name: string; readonly unit: string; readonly kind: "counter" | "other" },
): string {
  let result = name.replace(/[^A-Za-z0-9_:]/g, "_").replace(/^(?=\d)/, "_");
  const end = UNITS.get(unit);
  if (end !== undefined && !result.endsWith(`_${end}`)) result += `_${end}`;
  if (kind === "counter" && !result.endsWith("_total")) result += "_total";
  return result;
}

/** The whole of what was collected; `labels` are added to every sample. */
export function prometheusText(
  { scopeMetrics }: ResourceMetrics,
  labels: Readonly<Record<string, string>> = {},
): string {
  const lines: string[] = [];
  for (const { metrics } of scopeMetrics) {
    for (const metric of metrics) {
      if (metric.dataPoints.length > 0) writeMetric(lines, metric, labels);
    }
  }
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

function writeMetric(
  lines: string[],
  metric: MetricData,
  labels: Readonly<Record<string, string>>,
): void {
  const { descriptor } = metric;
  const isCounter = metric.dataPointType === DataPointType.SUM && metric.isMonotonic;
  const name = prometheusName({ ...descriptor, kind: isCounter ? "counter" : "other" });
  const type = metric.dataPointType === DataPointType.HISTOGRAM
    ? "histogram"
    : isCounter
    ? "counter"
    : "gauge";
  if (descriptor.description) lines.push(`# HELP ${name} ${escapedHelp(descriptor.description)}`);
  lines.push(`# TYPE ${name} ${type}`);
  if (metric.dataPointType === DataPointType.HISTOGRAM) {
    for (const { attributes, value: { buckets, count, sum } } of metric.dataPoints) {
      const own = labelText({ ...attributes, ...labels });
      let below = 0;
      buckets.boundaries.forEach((boundary, index) => {
        below += buckets.counts[index] ?? 0;
        lines.push(`${name}_bucket{${own}${own && ","}le="${boundary}"} ${below}`);
      });
      lines.push(`${name}_bucket{${own}${own && ","}le="+Inf"} ${count}`);
      lines.push(
        `${name}_sum${braced(own)} ${sampleValue(sum ?? 0)}`,
        `${name}_count${braced(own)} ${count}`,
      );
    }
    return;
  }
  if (metric.dataPointType !== DataPointType.GAUGE && metric.dataPointType !== DataPointType.SUM) return;
  for (const { attributes, value } of metric.dataPoints) {
    lines.push(`${name}${braced(labelText({ ...attributes, ...labels }))} ${sampleValue(value)}`);
  }
}

function braced(labels: string): string {
  return labels === "" ? "" : `{${labels}}`;
}

function labelText(attributes: Attributes): string {
  return Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) =>
      `${key.replace(/[^A-Za-z0-9_]/g, "_").replace(/^(?=\d)/, "_")}="${escapedLabel(value)}"`
    )
    .join(",");
}

function escapedLabel(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n").replace(/"/g, '\\"');
}

function escapedHelp(text: string): string {
  return text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n");
}

function sampleValue(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}
