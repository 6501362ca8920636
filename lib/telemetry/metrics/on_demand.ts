/**
 * Metrics for whoever asks: collected at that moment, and never by themselves.
 *
 * @module
 */
import {
  AggregationTemporality,
  InstrumentType,
  type MetricProducer,
  MetricReader,
} from "@opentelemetry/sdk-metrics";

/** Gives out what is counted, when asked. */
export class OnDemandReader extends MetricReader {
  /** `mostSeries`: of one instrument; those beyond are one, with `otel.metric.overflow` (TEL-1). `producers`: what is counted elsewhere. */
  constructor(mostSeries: number, producers: MetricProducer[] = []) {
    super({
      metricProducers: producers,
      cardinalitySelector: () => mostSeries,
      // What a gauge does not tell any more is not known any more; accumulated, its last value would stay.
      aggregationTemporalitySelector: (type) =>
        type === InstrumentType.OBSERVABLE_GAUGE
          ? AggregationTemporality.DELTA
          : AggregationTemporality.CUMULATIVE,
    });
  }

  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }

  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}
