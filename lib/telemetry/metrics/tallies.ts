/**
 * Counters and histograms as plain figures in memory, handed to the SDK when somebody collects (a metric producer,
 * as the specification has it). The SDK's own instruments look up the attributes of each call as sorted JSON, which
 * costs a message more than the rest of its way; here whoever counts keeps its attributes, and a call is an addition.
 *
 * @module
 */
import { type Attributes, type HrTime, ValueType } from "@opentelemetry/api";
import { emptyResource } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  type CollectionResult,
  type DataPoint,
  DataPointType,
  type Histogram as HistogramValue,
  type MetricData,
  type MetricProducer,
} from "@opentelemetry/sdk-metrics";
import type { Clock } from "../../async/clock.ts";
import type { Instrument } from "./catalogue.ts";

/** Something that is counted. */
export interface Counter {
  /** `attributes`: the same object for the same series, where it matters what a call costs. @default none */
  add(count: number, attributes?: Attributes): void;
}

/** Something that is measured. */
export interface Histogram {
  /** As `Counter.add`. */
  record(value: number, attributes?: Attributes): void;
}

export interface TalliesOptions {
  readonly scope: { readonly name: string; readonly version: string };
  readonly clock: Clock;
  /** Of one instrument; those beyond are one, with `otel.metric.overflow` (TEL-1). */
  readonly mostSeries: number;
}

export class Tallies implements MetricProducer {
  readonly #options: TalliesOptions;
  readonly #began: HrTime;
  readonly #instruments: { data(began: HrTime, now: HrTime): MetricData | undefined }[] = [];

  constructor(options: TalliesOptions) {
    this.#options = options;
    this.#began = hrTime(options.clock.now());
  }

  counter(instrument: Instrument): Counter {
    return this.#added(new Sums(instrument, this.#options.mostSeries));
  }

  /** `boundaries`: upper ends of its buckets, in order. */
  histogram(instrument: Instrument, boundaries: readonly number[]): Histogram {
    return this.#added(new Distributions(instrument, this.#options.mostSeries, boundaries));
  }

  /** For the SDK: everything as it is now. */
  collect(): Promise<CollectionResult> {
    const now = hrTime(this.#options.clock.now());
    const metrics = this.#instruments.flatMap((instrument) => instrument.data(this.#began, now) ?? []);
    const scopeMetrics = metrics.length > 0 ? [{ scope: this.#options.scope, metrics }] : [];
    return Promise.resolve({ resourceMetrics: { resource: emptyResource(), scopeMetrics }, errors: [] });
  }

  #added<T extends Series<unknown>>(instrument: T): T {
    this.#instruments.push(instrument);
    return instrument;
  }
}

const NONE: Attributes = {};
const OVERFLOW: Attributes = { "otel.metric.overflow": true };

/** The series of one instrument, by their attributes. */
abstract class Series<T> {
  readonly #known = new Map<string, { readonly attributes: Attributes; readonly value: T }>();
  /** The same by the objects that were given. */
  readonly #by = new WeakMap<Attributes, T>();

  constructor(protected readonly instrument: Instrument, private readonly most: number) {}

  protected abstract fresh(): T;
  abstract data(began: HrTime, now: HrTime): MetricData | undefined;

  protected of(attributes: Attributes): T {
    const value = this.#by.get(attributes);
    if (value !== undefined) return value;
    const found = this.#found(attributes);
    this.#by.set(attributes, found);
    return found;
  }

  #found(attributes: Attributes): T {
    const key = JSON.stringify(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)));
    const known = this.#known.get(key);
    if (known) return known.value;
    // One place is kept for all that there is no room for.
    if (attributes !== OVERFLOW && this.#known.size >= this.most - 1) return this.#found(OVERFLOW);
    const value = this.fresh();
    this.#known.set(key, { attributes: { ...attributes }, value });
    return value;
  }

  protected points<V>(began: HrTime, now: HrTime, shown: (value: T) => V): DataPoint<V>[] {
    return [...this.#known.values()].map(({ attributes, value }) => ({
      ...{ startTime: began, endTime: now, attributes, value: shown(value) },
    }));
  }

  protected get descriptor() {
    const { name, description, unit } = this.instrument;
    return { name, description, unit, valueType: ValueType.DOUBLE };
  }
}

class Sums extends Series<{ sum: number }> implements Counter {
  protected override fresh() {
    return { sum: 0 };
  }

  add(count: number, attributes = NONE): void {
    if (count >= 0) this.of(attributes).sum += count;
  }

  data(began: HrTime, now: HrTime): MetricData | undefined {
    const dataPoints = this.points(began, now, ({ sum }) => sum);
    return dataPoints.length === 0 ? undefined : {
      ...{ descriptor: this.descriptor, dataPoints, isMonotonic: true },
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
      dataPointType: DataPointType.SUM,
    };
  }
}

interface Distribution {
  readonly counts: number[];
  count: number;
  sum: number;
  min: number;
  max: number;
}

class Distributions extends Series<Distribution> implements Histogram {
  readonly #boundaries: readonly number[];

  constructor(instrument: Instrument, most: number, boundaries: readonly number[]) {
    super(instrument, most);
    this.#boundaries = boundaries;
  }

  protected override fresh(): Distribution {
    const counts = new Array<number>(this.#boundaries.length + 1).fill(0);
    return { counts, count: 0, sum: 0, min: Infinity, max: -Infinity };
  }

  record(value: number, attributes = NONE): void {
    // As the SDK has it: what is less than nothing, or no number, is no measurement.
    if (!(value >= 0)) return;
    const own = this.of(attributes);
    own.count++;
    own.sum += value;
    if (value < own.min) own.min = value;
    if (value > own.max) own.max = value;
    const boundaries = this.#boundaries;
    let at = 0;
    // A value that is a boundary is below it.
    while (at < boundaries.length && value > (boundaries[at] ?? Infinity)) at++;
    own.counts[at] = (own.counts[at] ?? 0) + 1;
  }

  data(began: HrTime, now: HrTime): MetricData | undefined {
    const dataPoints = this.points(began, now, ({ counts, count, sum, min, max }): HistogramValue => ({
      buckets: { boundaries: [...this.#boundaries], counts: [...counts] },
      ...{ count, sum, min, max },
    }));
    return dataPoints.length === 0 ? undefined : {
      ...{ descriptor: this.descriptor, dataPoints },
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
      dataPointType: DataPointType.HISTOGRAM,
    };
  }
}

function hrTime(ms: number): HrTime {
  return [Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)];
}
