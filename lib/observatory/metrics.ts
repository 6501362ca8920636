/**
 * The gauges that stores and heartbeats can tell, under the names that the servers have for them (wire
 * 9.5). What belongs to one worker has the label `worker`: its place, which another one gets when it has
 * gone. What workers tell themselves too bears `source="heartbeat"`.
 *
 * @module
 */
import type { Attributes, Observable } from "@opentelemetry/api";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import type { Clock } from "../async/clock.ts";
import { VERSION } from "../executable/version.ts";
import type { StatusRow } from "../status/row.ts";
import { OBSERVED } from "../telemetry/metrics/catalogue.ts";
import { type Gauges, makeGauges, type Tell, tellPool, tellRows } from "../telemetry/metrics/gauges.ts";
import { OnDemandReader } from "../telemetry/metrics/on_demand.ts";
import { prometheusText } from "../telemetry/metrics/prometheus.ts";
import { Slots } from "./slots.ts";
import type { ComponentFigures, ObservatorySource, QueueFigures } from "./source.ts";
import { togetherOf, type Worker } from "./workers.ts";

/** On what workers tell themselves too, so that whoever scrapes both does not count it twice. */
const HEARTBEAT: Attributes = { source: "heartbeat" };

/** Series of one gauge; those beyond are left out, as one with `otel.metric.overflow`. */
const MOST_SERIES = 10_000;

export interface StoreMetricsOptions {
  readonly source: ObservatorySource;
  readonly clock: Clock;
  /** `postgresql` and the like, by the name of a database. */
  readonly databaseType: (name: string) => string;
}

/** What was read for one page; undefined could not be had. */
interface Figures {
  readonly components: readonly ComponentFigures[] | undefined;
  readonly rows: readonly StatusRow[] | undefined;
  readonly workers: readonly Worker[] | undefined;
  readonly queues: readonly QueueFigures[] | undefined;
}

const NOTHING: Figures = {
  ...{ components: undefined, rows: undefined, workers: undefined, queues: undefined },
};

export class StoreMetrics {
  readonly #options: StoreMetricsOptions;
  readonly #reader = new OnDemandReader(MOST_SERIES);
  readonly #gauges: Gauges;
  readonly #workerCount: Observable;
  readonly #heartbeatAge: Observable;
  readonly #slots = new Slots();
  #figures = NOTHING;

  constructor(options: StoreMetricsOptions) {
    this.#options = options;
    const meter = new MeterProvider({ readers: [this.#reader] }).getMeter("protean", VERSION);
    this.#gauges = makeGauges(meter);
    const [count, age] = [OBSERVED.workers, OBSERVED.heartbeatAge].map(({ name, unit, description }) =>
      meter.createObservableGauge(name, { description, unit })
    ) as [Observable, Observable];
    this.#workerCount = count;
    this.#heartbeatAge = age;
    meter.addBatchObservableCallback(
      (result) => this.#observe(result),
      [...Object.values(this.#gauges), count, age],
    );
  }

  /** The page. Never rejects because a backend is away. */
  async text(): Promise<string> {
    const { source } = this.#options;
    const [components, rows, workers, queues] = await Promise.all([
      source.health().then((found) => found.components, unknown),
      source.rows().then(({ value }) => value, unknown),
      source.workers().catch(unknown),
      source.queues().then(({ value }) => value, unknown),
    ]);
    this.#figures = { components, rows, workers, queues };
    const { resourceMetrics } = await this.#reader.collect();
    return prometheusText(resourceMetrics);
  }

  #observe(result: ObservableResultOf): void {
    const { source: { domain } } = this.#options;
    const { components = [], rows = [], workers, queues = [] } = this.#figures;
    const gauges = this.#gauges;
    const tell: Tell = (gauge, value, attributes: Attributes = {}) => {
      if (value !== null && value !== undefined) result.observe(gauge, value, attributes);
    };
    for (const { kind, name, status } of components) {
      if (kind === "broker") tell(gauges.brokerUp, status === "ok" ? 1 : 0, { broker_name: name });
    }
    tellRows(gauges, tell, { domain, rows: () => rows });
    for (const { stream, depth, oldestAgeMs } of queues) {
      tell(gauges.dlqStreamDepth, depth, { dlq_stream: stream });
      tell(gauges.dlqOldestAge, seconds(oldestAgeMs), { dlq_stream: stream });
    }
    if (!workers) return;
    tell(this.#workerCount, workers.length, { domain });
    this.#tellWorkers(tell, workers);
    this.#tellSubscriptions(tell, workers);
  }

  #tellWorkers(tell: Tell, workers: readonly Worker[]): void {
    const { clock, databaseType } = this.#options;
    const gauges = this.#gauges;
    const slots = this.#slots.of(workers.map(({ id }) => id));
    for (const { id, ageMs, started, loopDelayMs, subscriptions, pools } of workers) {
      const attributes = { worker: String(slots.get(id)), ...HEARTBEAT };
      tell(gauges.up, 1, attributes);
      tell(this.#heartbeatAge, ageMs / 1000, attributes);
      tell(gauges.uptime, seconds(started && Math.max(0, clock.now() - started)), attributes);
      tell(gauges.loopDelay, seconds(loopDelayMs), attributes);
      tell(gauges.activeSubscriptions, subscriptions.length, attributes);
      for (const pool of pools) {
        tellPool(gauges, tell, { ...pool, type: databaseType(pool.name) }, attributes);
      }
    }
  }

  /** Of all workers together: one series for each of theirs would be as many as both multiplied. */
  #tellSubscriptions(tell: Tell, workers: readonly Worker[]): void {
    const gauges = this.#gauges;
    for (const [key, { inFlight, retrying, paused, lastPollAgeMs }] of togetherOf(workers)) {
      const [handler, stream]: [string, string] = JSON.parse(key);
      const attributes = { subscription: handler, handler, stream, ...HEARTBEAT };
      tell(gauges.inFlight, inFlight, attributes);
      tell(gauges.retrying, retrying, attributes);
      tell(gauges.paused, paused ? 1 : 0, attributes);
      tell(gauges.lastPollAge, seconds(lastPollAgeMs), attributes);
    }
  }
}

interface ObservableResultOf {
  observe(gauge: Observable, value: number, attributes?: Attributes): void;
}

function unknown(): undefined {
  return undefined;
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}
