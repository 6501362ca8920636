/**
 * Telemetry that is on: meter, tracer, what is told them, and who hears of it. Everything of OpenTelemetry
 * hangs on this module, which is loaded only then. It takes no global provider: Deno's own has that.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  ConsoleMetricExporter,
  MeterProvider,
  type PushMetricExporter,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ConsoleSpanExporter,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Meter } from "@opentelemetry/api";
import { type Clock, sleep } from "../async/clock.ts";
import type { Observer } from "../domain/observer.ts";
import type { Telemetry } from "../domain/telemetry.ts";
import { asError } from "../errors.ts";
import { VERSION } from "../executable/version.ts";
import { Metrics } from "./metrics/metrics.ts";
import { OnDemandReader } from "./metrics/on_demand.ts";
import { Tallies } from "./metrics/tallies.ts";
import { prometheusText } from "./metrics/prometheus.ts";
import { OtlpMetricExporter, OtlpSpanExporter } from "./otlp/exporters.ts";
import type { TelemetrySettings } from "./settings.ts";
import { Traces } from "./traces/traces.ts";

const log = getLogger(["protean", "telemetry"]);

/** Spans that wait to be exported; those beyond are dropped. */
const MOST_SPANS = 2_048;
/** Characters of an attribute of a span: ids come from elsewhere, and one that is huge costs the whole batch. */
const LONGEST_ATTRIBUTE = 1_024;
/** Series of one instrument; those beyond are one, with `otel.metric.overflow` (TEL-1). */
const MOST_SERIES = 2_000;

export interface LiveOptions {
  readonly settings: TelemetrySettings;
  readonly clock: Clock;
  /** `<host>-<pid>`, in resources and spans. */
  readonly instance: string;
  /** `messaging.system` of a broker, by its name. */
  readonly systemOf: (broker: string) => string;
  /** Whether a broker is another team's. */
  readonly isExternal: (broker: string) => boolean;
}

export class LiveTelemetry implements Telemetry {
  readonly observer: Observer;
  readonly meter: Meter;
  readonly #options: LiveOptions;
  readonly #reader: OnDemandReader;
  readonly #meters: MeterProvider;
  readonly #tracers: TracerProvider | undefined;
  readonly #exporter: PushMetricExporter | undefined;
  readonly #stopping = new AbortController();
  readonly #exporting: Promise<void>;
  #closed: Promise<void> | undefined;

  constructor(options: LiveOptions) {
    this.#options = options;
    const { settings: { metrics, traces, resource: attributes, serviceName, semconv }, clock, instance } =
      options;
    const resource = resourceFromAttributes({
      "service.name": serviceName,
      "service.version": VERSION,
      "service.instance.id": instance,
      "telemetry.sdk.name": "opentelemetry",
      "telemetry.sdk.language": "webjs",
      ...attributes,
    });
    const tallies = new Tallies({
      scope: { name: "protean", version: VERSION },
      clock,
      mostSeries: MOST_SERIES,
    });
    this.#reader = new OnDemandReader(MOST_SERIES, [tallies]);
    this.#meters = new MeterProvider({ resource, readers: [this.#reader] });
    this.meter = this.#meters.getMeter("protean", VERSION);
    this.#exporter = metrics &&
      (metrics.exporter === "console" ? new ConsoleMetricExporter() : new OtlpMetricExporter(metrics, clock));
    this.#tracers = traces && new TracerProvider({
      resource,
      sampler: samplerOf(options.settings.sampler),
      spanLimits: { attributeValueLengthLimit: LONGEST_ATTRIBUTE },
      spanProcessors: [
        new BatchSpanProcessor({
          exporter: traces.exporter === "console"
            ? new ConsoleSpanExporter()
            : new OtlpSpanExporter(traces, clock),
          maxQueueSize: MOST_SPANS,
        }),
      ],
    });
    const instruments = new Metrics({ tallies, clock, semconv, systemOf: options.systemOf });
    const tracing = this.#tracers && new Traces(this.#tracers.getTracer("protean", VERSION), {
      worker: instance,
      ratio: ratioOf(options.settings.sampler),
    });
    this.observer = observing(instruments, tracing, options);
    this.#exporting = this.#exporter
      ? this.#export(this.#exporter, this.#stopping.signal)
      : Promise.resolve();
  }

  async scrape(labels: Readonly<Record<string, string>> = {}): Promise<string> {
    try {
      return prometheusText(await this.#collect(), labels);
    } catch (error) {
      failed(error);
      return "";
    }
  }

  async flush(): Promise<void> {
    const { settings: { flushTimeoutMs }, clock } = this.#options;
    const over = new AbortController();
    const flushed = Promise.all([
      this.#exporter && this.#once(this.#exporter),
      this.#tracers?.forceFlush({ timeoutMillis: flushTimeoutMs }).catch(failed),
    ]).finally(() => over.abort());
    await Promise.race([flushed, sleep(clock, flushTimeoutMs, over.signal)]);
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#stopping.abort();
    await this.flush();
    // What is under way is cut: its time is over.
    await Promise.all([
      this.#exporter?.shutdown(),
      this.#tracers?.shutdown(),
      this.#meters.shutdown(),
    ].map((ending) => ending?.catch(failed)));
    await this.#exporting;
  }

  /** Exports once in each interval, one after the other. */
  async #export(exporter: PushMetricExporter, signal: AbortSignal): Promise<void> {
    const { settings: { intervalMs }, clock } = this.#options;
    while (!signal.aborted) {
      await sleep(clock, intervalMs, signal);
      if (!signal.aborted) await this.#once(exporter);
    }
  }

  async #once(exporter: PushMetricExporter): Promise<void> {
    const metrics = await this.#collect();
    if (metrics.scopeMetrics.length === 0) return;
    await new Promise<void>((resolve) => exporter.export(metrics, () => resolve()));
  }

  async #collect(): Promise<ResourceMetrics> {
    const { resourceMetrics, errors } = await this.#reader.collect();
    for (const error of errors) failed(error);
    return resourceMetrics;
  }
}

function failed(error: unknown): void {
  log.debug("telemetry.failed", { error: asError(error).message });
}

function observing(metrics: Metrics, traces: Traces | undefined, options: LiveOptions): Observer {
  const { clock, instance } = options;
  return {
    subscription: (facts) => metrics.subscription(facts),
    processor: (facts) => {
      const counting = metrics.processor(facts);
      const isExternal = options.isExternal(facts.broker);
      return {
        happened: (event, count) => counting.happened(event, count),
        batch: (rows, ms) => {
          counting.batch?.(rows, ms);
          traces?.published(rows, ms, instance, isExternal);
        },
      };
    },
    deadLetters: (stream) => metrics.deadLetters(stream),
    alerts: () => metrics.alerts(),
    check: (name) => metrics.check(name),
    handler: (handler, message, kind) => {
      const span = traces?.handler(handler, message, kind);
      return {
        trace: span?.trace,
        ended: (error, ms) => {
          metrics.handled(handler, kind, ms, error);
          span?.end(error);
        },
      };
    },
    repeated: (handler, error) => metrics.repeated(handler, error),
    commit: (_name, trace) => {
      const span = traces?.commit(trace);
      return (messages, error) => {
        if (!error) metrics.committed(messages);
        span?.(messages, error);
      };
    },
    command: (type, mode) => {
      const began = clock.monotonic();
      const span = traces?.command(type);
      return {
        trace: span?.trace,
        ended: (error) => {
          metrics.command(
            type,
            error ? "error" : mode === "enqueued" ? "enqueued" : "ok",
            clock.monotonic() - began,
          );
          span?.end(error);
        },
      };
    },
  };
}

/** Of traces that begin here, where that alone decides. */
function ratioOf({ name, ratio }: TelemetrySettings["sampler"]): number | undefined {
  return name === "parentbased_traceidratio" ? ratio : undefined;
}

function samplerOf({ name, ratio }: TelemetrySettings["sampler"]): Sampler {
  // What begins here has been chosen before it is begun.
  const root = name.endsWith("always_on") || name === "parentbased_traceidratio"
    ? new AlwaysOnSampler()
    : name.endsWith("always_off")
    ? new AlwaysOffSampler()
    : new TraceIdRatioBasedSampler(ratio);
  return name.startsWith("parentbased_") ? new ParentBasedSampler({ root }) : root;
}
