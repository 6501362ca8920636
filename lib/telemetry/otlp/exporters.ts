/**
 * Exporters of metrics and spans: the official serialisers before our own transport. What fails is told once
 * until it works again, and costs nothing else (F24).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import {
  JsonMetricsSerializer,
  JsonTraceSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
} from "@opentelemetry/otlp-transformer";
import {
  AggregationTemporality,
  type PushMetricExporter,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import type { Clock } from "../../async/clock.ts";
import { asError } from "../../errors.ts";
import type { Destination, Signal } from "../settings.ts";
import { reasonOf } from "./reason.ts";
import { Transport } from "./transport.ts";

const log = getLogger(["protean", "telemetry"]);

/** As `ExportResult` of the SDK has them. */
const OK = 0;
const FAILED = 1;

type Done = (result: { code: number; error?: Error }) => void;

abstract class Exporter<T> {
  readonly #transport: Transport;
  readonly #destination: Destination;
  readonly #signal: Signal;
  readonly #underWay = new Set<Promise<void>>();
  #failing = false;

  constructor(signal: Signal, destination: Destination, clock: Clock) {
    this.#signal = signal;
    this.#destination = destination;
    this.#transport = new Transport(destination, clock);
  }

  protected abstract serialized(items: T, json: boolean): Uint8Array | undefined;

  export(items: T, done: Done): void {
    const sent = this.#send(items).then(
      () => done({ code: OK }),
      (error) => done({ code: FAILED, error: asError(error) }),
    ).finally(() => this.#underWay.delete(sent));
    this.#underWay.add(sent);
  }

  async forceFlush(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async shutdown(): Promise<void> {
    await this.#transport.close();
    await this.forceFlush();
  }

  async #send(items: T): Promise<void> {
    const { protocol, url } = this.#destination;
    try {
      const body = this.serialized(items, protocol === "http/json");
      if (body) await this.#transport.send(body);
      if (this.#failing) log.info("telemetry.exporting_again", { signal: this.#signal });
      this.#failing = false;
    } catch (cause) {
      const error = asError(cause);
      if (!this.#failing) {
        log.warn("telemetry.export_failed", {
          signal: this.#signal,
          endpoint: url,
          protocol,
          error: reasonOf(error, protocol),
        });
      }
      this.#failing = true;
      throw error;
    }
  }
}

export class OtlpMetricExporter extends Exporter<ResourceMetrics> implements PushMetricExporter {
  constructor(destination: Destination, clock: Clock) {
    super("metrics", destination, clock);
  }

  selectAggregationTemporality(): AggregationTemporality {
    return AggregationTemporality.CUMULATIVE;
  }

  protected override serialized(metrics: ResourceMetrics, json: boolean): Uint8Array | undefined {
    return (json ? JsonMetricsSerializer : ProtobufMetricsSerializer).serializeRequest(metrics);
  }
}

export class OtlpSpanExporter extends Exporter<ReadableSpan[]> implements SpanExporter {
  constructor(destination: Destination, clock: Clock) {
    super("traces", destination, clock);
  }

  protected override serialized(spans: ReadableSpan[], json: boolean): Uint8Array | undefined {
    return (json ? JsonTraceSerializer : ProtobufTraceSerializer).serializeRequest(spans);
  }
}
