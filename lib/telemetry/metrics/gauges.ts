/**
 * What is read when somebody asks: gauges over figures that are in memory anyway. A scrape costs no I/O.
 *
 * @module
 */
import type { Attributes, Meter, Observable } from "@opentelemetry/api";
import { GAUGES, type Instrument } from "./catalogue.ts";

/** One subscription or outbox, as the last look at the backends found it. Null: unknown, and not told. */
export interface GaugeRow {
  readonly handler_name: string;
  readonly subscription_type: string;
  readonly stream_category: string;
  readonly status: string;
  readonly lag: number | null;
  readonly pending: number | null;
  readonly lag_seconds: number | null;
  readonly oldest_pending_seconds?: number | null;
  readonly dlq_depth: number | null;
}

/** A subscription of this process. */
export interface GaugeSubscription {
  readonly handler: string;
  readonly category: string;
  readonly unfinished: number;
  readonly inFlight: number;
  readonly retrying: number;
  readonly paused: boolean;
  /** Undefined where nothing is polled. */
  readonly lastPollAgeMs: number | undefined;
}

export interface GaugePool {
  readonly name: string;
  /** `postgresql` */
  readonly type: string;
  readonly size: number;
  readonly checkedOut: number;
  readonly overflow: number;
  readonly checkedIn: number;
  /** @default nobody waits */
  readonly waiting?: number;
}

/** Where the figures are. Nothing of it may do I/O or throw. */
export interface GaugeSource {
  readonly domain: string;
  uptimeMs(): number;
  ready(): boolean;
  /** Longest delay of a timer since the last call, in milliseconds; undefined: nobody measures it. */
  loopDelayMs(): number | undefined;
  rows(): readonly GaugeRow[];
  subscriptions(): readonly GaugeSubscription[];
  pools(): readonly GaugePool[];
  brokers(): readonly {
    readonly name: string;
    readonly up: boolean;
    readonly connections: number | undefined;
  }[];
  deadLetters(): readonly {
    readonly stream: string;
    readonly depth: number | undefined;
    readonly oldestAgeMs: number | undefined;
  }[];
  /** How many fire, by rule; undefined: this process does not judge. */
  alerts?(): ReadonlyMap<string, number> | undefined;
  /** Undefined: it has not run yet. */
  checks?(): readonly { readonly name: string; readonly passed: boolean | undefined }[];
}

export type Gauges = { readonly [K in keyof typeof GAUGES]: Observable };

/** Every gauge of the catalogue, of a meter. */
export function makeGauges(meter: Meter): Gauges {
  return Object.fromEntries(
    Object.entries(GAUGES).map(([key, { name, unit, description }]: [string, Instrument]) => [
      key,
      meter.createObservableGauge(name, { description, ...(unit !== "" && { unit }) }),
    ]),
  ) as Gauges;
}

/** Registers every gauge. Returns what takes them off again. */
export function registerGauges(meter: Meter, source: GaugeSource): () => void {
  const gauges = makeGauges(meter);
  const observed = Object.values(gauges);
  const observe = (result: ObservableResultOf) => {
    const tell = (gauge: Observable, value: number | null | undefined, attributes: Attributes = {}) => {
      if (value !== null && value !== undefined) result.observe(gauge, value, attributes);
    };
    tell(gauges.up, 1);
    tell(gauges.uptime, source.uptimeMs() / 1000);
    tell(gauges.ready, source.ready() ? 1 : 0);
    tell(gauges.loopDelay, seconds(source.loopDelayMs()));
    tellRows(gauges, tell, source);
    const subscriptions = source.subscriptions();
    tell(gauges.activeSubscriptions, subscriptions.length);
    for (const { handler, category, ...figures } of subscriptions) {
      const attributes = { subscription: handler, handler, stream: category };
      tell(gauges.inFlight, figures.inFlight, attributes);
      tell(gauges.unfinished, figures.unfinished, attributes);
      tell(gauges.retrying, figures.retrying, attributes);
      tell(gauges.paused, figures.paused ? 1 : 0, attributes);
      tell(gauges.lastPollAge, seconds(figures.lastPollAgeMs), attributes);
    }
    for (const pool of source.pools()) tellPool(gauges, tell, pool);
    for (const { name, up, connections } of source.brokers()) {
      tell(gauges.brokerUp, up ? 1 : 0, { broker_name: name });
      tell(gauges.brokerConnections, connections, { broker_name: name });
    }
    for (const { stream, depth, oldestAgeMs } of source.deadLetters()) {
      tell(gauges.dlqStreamDepth, depth, { dlq_stream: stream });
      tell(gauges.dlqOldestAge, seconds(oldestAgeMs), { dlq_stream: stream });
    }
    for (const [rule, firing] of source.alerts?.() ?? []) tell(gauges.alertsFiring, firing, { rule });
    for (const { name, passed } of source.checks?.() ?? []) {
      tell(gauges.checkPassing, passed === undefined ? undefined : Number(passed), { check: name });
    }
  };
  meter.addBatchObservableCallback(observe, observed);
  return () => meter.removeBatchObservableCallback(observe, observed);
}

interface ObservableResultOf {
  observe(gauge: Observable, value: number, attributes?: Attributes): void;
}

export type Tell = (gauge: Observable, value: number | null | undefined, attributes?: Attributes) => void;

const STATUS: Readonly<Record<string, number>> = { ok: 1, lagging: 0, unknown: -1 };

/** `more`: further attributes. */
export function tellPool(
  gauges: Gauges,
  tell: Tell,
  { name, type, size, checkedOut, overflow, checkedIn, waiting = 0 }: GaugePool,
  more: Attributes = {},
): void {
  const attributes = { provider_name: name, database_type: type, ...more };
  tell(gauges.poolSize, size, attributes);
  tell(gauges.poolCheckedOut, checkedOut, attributes);
  tell(gauges.poolOverflow, overflow, attributes);
  tell(gauges.poolCheckedIn, checkedIn, attributes);
  tell(gauges.poolWaiting, waiting, attributes);
}

/** What is known of every subscription and outbox of a domain. */
export function tellRows(gauges: Gauges, tell: Tell, source: Pick<GaugeSource, "domain" | "rows">): void {
  const { domain } = source;
  let outbox: number | undefined;
  for (const row of source.rows()) {
    if (row.subscription_type === "outbox") {
      // Rows that wait are its lag; those that failed come back by themselves.
      if (row.lag !== null) outbox = (outbox ?? 0) + row.lag;
      tell(gauges.outboxOldestAge, row.lag_seconds, { domain, broker: row.stream_category });
      continue;
    }
    const attributes = {
      domain,
      handler: row.handler_name,
      stream: row.stream_category,
      type: row.subscription_type,
    };
    tell(gauges.lag, row.lag, attributes);
    tell(gauges.pending, row.pending, attributes);
    tell(gauges.lagSeconds, row.lag_seconds, attributes);
    tell(gauges.oldestPending, row.oldest_pending_seconds, attributes);
    tell(gauges.dlqDepth, row.dlq_depth, attributes);
    tell(gauges.status, STATUS[row.status], attributes);
  }
  tell(gauges.outboxPending, outbox, { domain });
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}
