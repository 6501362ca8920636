/**
 * `GET /api/rollups` (operations 10.4): what a subscription has done, step by step.
 *
 * @module
 */
import { addedRollup, type Rollup, ROLLUP_BOUNDS, ROLLUP_KEPT_MS } from "../../adapters/ports.ts";
import type { Clock } from "../../async/clock.ts";
import type { ObservatorySource } from "../source.ts";
import { BadRequestError } from "./failure.ts";
import { json, type Route } from "./route.ts";

const MINUTE_SECONDS = 60;
/** What is shown where nobody says from when. */
const USUAL_SECONDS = 3_600;

/**
 * In columns, a step without work as zeros: `?subject` (the `name` of a subscription), `?from` and `?to`
 * (seconds since 1970; the last hour), `?step` (seconds, whole minutes; 60). `p50` and `p99` are of the
 * critical time, in seconds, as close as its buckets are; null where nothing was handled.
 */
export function rollupsRoute(source: ObservatorySource, clock: Clock): Route {
  return async (request) => {
    const { searchParams } = new URL(request.url);
    const subject = searchParams.get("subject");
    if (!subject) throw new BadRequestError("'subject' must be the name of a subscription.");
    const now = Math.floor(clock.now() / 1000);
    const to = seconds(searchParams, "to", now + MINUTE_SECONDS);
    const from = seconds(searchParams, "from", to - USUAL_SECONDS);
    const step = seconds(searchParams, "step", MINUTE_SECONDS);
    if (step < MINUTE_SECONDS || step % MINUTE_SECONDS !== 0) {
      throw new BadRequestError("'step' must be whole minutes, in seconds.");
    }
    if (from >= to || to - from > ROLLUP_KEPT_MS / 1000) {
      throw new BadRequestError("'from' must be before 'to', by 26 hours at most.");
    }
    const minutes = step / MINUTE_SECONDS;
    const first = Math.floor(from / step) * minutes;
    const last = Math.ceil(to / step) * minutes;
    const found = await source.rollups(subject, first, last);
    return json({ subject, step, ...columns(found, { first, last, minutes }) });
  };
}

interface Steps {
  /** Minutes since 1970, before the last. */
  readonly first: number;
  readonly last: number;
  /** In one step. */
  readonly minutes: number;
}

function columns(found: readonly Rollup[], { first, last, minutes }: Steps): Record<string, unknown> {
  const steps = new Map<number, Rollup>();
  for (const rollup of found) {
    const step = first + Math.floor((rollup.minute - first) / minutes) * minutes;
    const before = steps.get(step);
    steps.set(step, before ? addedRollup(before, rollup) : rollup);
  }
  const t: number[] = [];
  for (let at = first; at < last; at += minutes) t.push(at);
  const column = <T>(of: (rollup: Rollup | undefined) => T) => t.map((at) => of(steps.get(at)));
  return {
    t: t.map((at) => at * MINUTE_SECONDS),
    handled: column((rollup) => rollup?.figures.handled ?? 0),
    failed: column((rollup) => rollup?.figures.failed ?? 0),
    retried: column((rollup) => rollup?.figures.retried ?? 0),
    dead: column((rollup) => rollup?.figures.dead ?? 0),
    duration_sum: column((rollup) => (rollup?.figures.duration_sum_ms ?? 0) / 1000),
    duration_max: column((rollup) => (rollup?.figures.duration_max_ms ?? 0) / 1000),
    p50: column((rollup) => rollup ? rounded(quantile(rollup, 0.5)) : null),
    p99: column((rollup) => rollup ? rounded(quantile(rollup, 0.99)) : null),
  };
}

/** Within a bucket the times are taken to lie evenly; none is longer than the longest. */
function quantile({ buckets, figures }: Rollup, share: number): number | null {
  const total = buckets.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const longest = figures.critical_max_ms / 1000;
  let below = 0;
  for (const [at, count] of buckets.entries()) {
    if (below + count < share * total) {
      below += count;
      continue;
    }
    const lower = ROLLUP_BOUNDS[at - 1] ?? 0;
    const upper = Math.min(ROLLUP_BOUNDS[at] ?? longest, longest);
    const inside = count === 0 ? 0 : (share * total - below) / count;
    return Math.min(longest, lower + Math.max(0, upper - lower) * inside);
  }
  return longest;
}

/** To milliseconds, which is finer than a bucket. */
function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value * 1000) / 1000;
}

function seconds(params: URLSearchParams, name: string, usual: number): number {
  const text = params.get(name);
  if (text === null) return usual;
  if (/^\d{1,11}$/.test(text)) return Number(text);
  throw new BadRequestError(`'${name}' must be whole seconds.`);
}
