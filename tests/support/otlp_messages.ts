/**
 * As much of OTLP's messages as tests look at, decoded from protobuf by the field numbers of
 * opentelemetry-proto 1.x, which its stability promises to keep.
 *
 * @module
 */

/** A field: its name, and what it holds. */
type Field = readonly [name: string, kind: Kind];
type Kind = "text" | "bytes" | "int" | "fixed" | "double" | "bool" | Schema | readonly [Schema];
interface Schema {
  readonly [number: number]: Field;
}

const anyValue: Schema = {
  1: ["stringValue", "text"],
  2: ["boolValue", "bool"],
  3: ["intValue", "int"],
  4: ["doubleValue", "double"],
};
const keyValue: Schema = { 1: ["key", "text"], 2: ["value", anyValue] };
const resource: Schema = { 1: ["attributes", [keyValue]] };
const numberPoint: Schema = {
  4: ["asDouble", "double"],
  6: ["asInt", "fixed"],
  7: ["attributes", [keyValue]],
};
const histogramPoint: Schema = { 4: ["count", "fixed"], 5: ["sum", "double"], 9: ["attributes", [keyValue]] };
const numbers: Schema = { 1: ["dataPoints", [numberPoint]] };
const metric: Schema = {
  1: ["name", "text"],
  3: ["unit", "text"],
  5: ["gauge", numbers],
  7: ["sum", numbers],
  9: ["histogram", { 1: ["dataPoints", [histogramPoint]] }],
};
const span: Schema = {
  1: ["traceId", "bytes"],
  2: ["spanId", "bytes"],
  4: ["parentSpanId", "bytes"],
  5: ["name", "text"],
  9: ["attributes", [keyValue]],
  11: ["events", [{ 2: ["name", "text"], 3: ["attributes", [keyValue]] }]],
  15: ["status", { 2: ["message", "text"], 3: ["code", "int"] }],
};

/** `ExportMetricsServiceRequest`. */
export const METRICS: Schema = {
  1: ["resourceMetrics", [{
    1: ["resource", resource],
    2: ["scopeMetrics", [{ 2: ["metrics", [metric]] }]],
  }]],
};
/** `ExportTraceServiceRequest`. */
export const TRACES: Schema = {
  1: ["resourceSpans", [{ 1: ["resource", resource], 2: ["scopeSpans", [{ 2: ["spans", [span]] }]] }]],
};

/** Throws where the bytes are no protobuf. */
export function decode(bytes: Uint8Array, schema: Schema): Record<string, unknown> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const result: Record<string, unknown> = {};
  for (const [name, kind] of Object.values(schema)) if (Array.isArray(kind)) result[name] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1;; factor *= 128) {
      const byte = view.getUint8(at++);
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const field: Field | undefined = schema[Math.floor(tag / 8)];
    let value: unknown;
    switch (tag % 8) {
      case 0:
        value = varint();
        break;
      case 1:
        value = field?.[1] === "double" ? view.getFloat64(at, true) : Number(view.getBigUint64(at, true));
        at += 8;
        break;
      case 2: {
        const length = varint();
        if (at + length > bytes.length) throw new RangeError("a field goes beyond its message");
        value = bytes.subarray(at, at += length);
        break;
      }
      case 5:
        at += 4;
        break;
      default:
        throw new RangeError(`wire type ${tag % 8}`);
    }
    if (!field) continue;
    const [name, kind] = field;
    if (Array.isArray(kind)) {
      (result[name] as unknown[]).push(decode(value as Uint8Array, (kind as [Schema])[0]));
    } else if (typeof kind === "object") result[name] = decode(value as Uint8Array, kind as Schema);
    else if (kind === "text") result[name] = new TextDecoder().decode(value as Uint8Array);
    else result[name] = kind === "bool" ? value === 1 : value;
  }
  return result;
}
