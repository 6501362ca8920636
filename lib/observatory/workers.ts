/**
 * What workers have told of themselves (operations 1), as far as it can be understood: they may be of
 * another release.
 *
 * @module
 */
import type { Peer } from "../adapters/ports.ts";

/** One subscription of a worker. */
export interface WorkerSubscription {
  readonly handler: string;
  readonly category: string;
  readonly paused: boolean;
  readonly inFlight: number;
  readonly retrying: number;
  readonly lastPollAgeMs: number | undefined;
  readonly breaker: "closed" | "open" | "half_open" | undefined;
}

export interface WorkerPool {
  readonly name: string;
  readonly size: number;
  readonly checkedOut: number;
  readonly overflow: number;
  readonly checkedIn: number;
}

export interface Worker {
  readonly id: string;
  /** Since it announced itself last. */
  readonly ageMs: number;
  /** Epoch ms. */
  readonly started: number | undefined;
  readonly loopDelayMs: number | undefined;
  readonly subscriptions: readonly WorkerSubscription[];
  readonly pools: readonly WorkerPool[];
}

/** Those of one domain: others may use the same broker. */
export function workersOf(peers: readonly Peer[], domain: string): readonly Worker[] {
  return peers.filter(({ fields }) => fields["domain"] === domain).map(({ id, ageMs, fields }) => ({
    id,
    ageMs,
    started: figure(Date.parse(fields["started"] ?? "")),
    loopDelayMs: figure(Number(fields["event_loop_delay_ms"])),
    subscriptions: Object.values(parsed(fields["subscriptions"])).flatMap(subscriptionOf),
    pools: Object.entries(parsed(fields["pools"])).flatMap(([name, pool]) => poolOf(name, pool)),
  }));
}

const BREAKERS: ReadonlySet<unknown> = new Set(["closed", "open", "half_open"]);

function subscriptionOf(told: unknown): readonly WorkerSubscription[] {
  const { handler, category, state, in_flight, retrying, last_poll_age_ms, breaker } = record(told);
  if (typeof handler !== "string" || typeof category !== "string") return [];
  return [{
    handler,
    category,
    paused: state === "paused",
    inFlight: figure(in_flight) ?? 0,
    retrying: figure(retrying) ?? 0,
    lastPollAgeMs: figure(last_poll_age_ms),
    breaker: BREAKERS.has(breaker) ? breaker as WorkerSubscription["breaker"] : undefined,
  }];
}

function poolOf(name: string, told: unknown): readonly WorkerPool[] {
  const pool = record(told);
  const [size, checkedOut, overflow, checkedIn] = ["size", "checkedOut", "overflow", "checkedIn"]
    .map((key) => figure(pool[key]));
  if (
    size === undefined || checkedOut === undefined || overflow === undefined || checkedIn === undefined
  ) return [];
  return [{ name, size, checkedOut, overflow, checkedIn }];
}

function parsed(text: string | undefined): Record<string, unknown> {
  try {
    return record(JSON.parse(text ?? "{}"));
  } catch {
    return {};
  }
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}

function figure(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

/** What all workers together say of one subscription. */
export interface Together {
  readonly workers: number;
  readonly inFlight: number;
  readonly retrying: number;
  /** One of them at least starts nothing. */
  readonly paused: boolean;
  /** The longest. */
  readonly lastPollAgeMs: number | undefined;
  /** The worst. */
  readonly breaker: WorkerSubscription["breaker"];
}

/** By `subscriptionKey`. */
export function togetherOf(workers: readonly Worker[]): ReadonlyMap<string, Together> {
  const all = Map.groupBy(
    workers.flatMap(({ subscriptions }) => subscriptions),
    ({ handler, category }) => subscriptionKey(handler, category),
  );
  return new Map([...all].map(([key, each]) => [key, {
    workers: each.length,
    inFlight: sum(each.map(({ inFlight }) => inFlight)),
    retrying: sum(each.map(({ retrying }) => retrying)),
    paused: each.some(({ paused }) => paused),
    lastPollAgeMs: largest(each.flatMap(({ lastPollAgeMs }) => lastPollAgeMs ?? [])),
    breaker: (["open", "half_open", "closed"] as const).find((state) =>
      each.some(({ breaker }) => breaker === state)
    ),
  }]));
}

export function subscriptionKey(handler: string, category: string): string {
  return JSON.stringify([handler, category]);
}

function sum(figures: readonly number[]): number {
  return figures.reduce((total, each) => total + each, 0);
}

function largest(figures: readonly number[]): number | undefined {
  return figures.length === 0 ? undefined : Math.max(...figures);
}
