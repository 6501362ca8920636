/**
 * What the rules of `[alerts]` are judged by: what the monitor has collected for the probes, what the workers
 * tell of themselves, and this one's own services. Nothing of it asks a backend.
 *
 * @module
 */
import type { Peer } from "../adapters/ports.ts";
import type { AlertFigures, FigureRow, PoolFigures, WorkerFigures } from "../alerts/figures.ts";
import type { CheckState } from "../domain/check.ts";
import { outboxRoutes } from "../domain/places.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import type { Latest } from "../health/subscription_source.ts";
import { isJsonObject } from "../message/parse.ts";
import { finishedOf, type SubscriptionStatus } from "../subscription/status.ts";
import { LostWorkers } from "./lost_workers.ts";

/** Figures that are older are none: several collections were missed. */
const OLD_MS = 15_000;
/** Checks, and characters of a reason, that are taken from another worker. */
const MOST_CHECKS = 100;
const LONGEST_REASON = 300;

export interface AlertFigureParts {
  readonly runtime: DomainRuntime;
  /** Name of this worker among all of them. */
  readonly id: string;
  readonly statuses: () => readonly SubscriptionStatus[];
  readonly checks: () => readonly CheckState[];
  readonly latest: () => Latest | undefined;
}

/** Returns what asks for the figures as they are known now. */
export function alertFigures(parts: AlertFigureParts): () => AlertFigures {
  const { runtime: { clock, name }, id, latest } = parts;
  const lostWorkers = new LostWorkers();
  let looked: Latest | undefined;
  let lost: AlertFigures["lost"] = [];
  return () => {
    const known = latest();
    const now = clock.monotonic();
    const current = known && now - known.at <= OLD_MS ? known : undefined;
    const others = current?.peers?.filter((peer) => peer.id !== id && peer.fields["domain"] === name);
    if (current && others && current !== looked) {
      looked = current;
      lost = lostWorkers.look(others, current.at);
    }
    return {
      rows: current && figureRows(current, outboxRoutes(parts.runtime)),
      workers: others && [ownFigures(parts), ...others.map(workerFigures)],
      lost: others ? lost : [],
    };
  };
}

/** Rows of outboxes stand in the order of their routes. */
function figureRows(
  { rows, ages }: Latest,
  routes: readonly { readonly broker: { readonly name: string } }[],
): readonly FigureRow[] {
  const brokers = routes.map(({ broker }) => broker.name);
  return rows.map((row) => {
    const isOutbox = row.subscription_type === "outbox";
    const category = isOutbox ? brokers.shift() ?? row.stream_category : row.stream_category;
    return {
      ...{ name: row.name, handler: row.handler_name, category, isOutbox },
      ...{ lag: row.lag, pending: row.pending, position: row.current_position },
      ageSeconds: isOutbox ? row.lag_seconds : ages.get(row) ?? null,
    };
  });
}

function ownFigures({ runtime, id, statuses, checks }: AlertFigureParts): WorkerFigures {
  return {
    ...{ id, host: Deno.hostname(), pid: String(Deno.pid), checks: checks() },
    subscriptions: statuses().map((status) => {
      const { handler, category, breaker } = status;
      return { handler, category, breaker, finished: finishedOf(status) };
    }),
    pools: [...runtime.providers].flatMap(([name, provider]): PoolFigures[] => {
      const stats = provider.poolStats();
      return stats
        ? [{ name, size: stats.size, checkedOut: stats.checkedOut, waiting: stats.waiting ?? 0 }]
        : [];
    }),
  };
}

/** Of a worker of another release it may be anything. */
function workerFigures({ id, fields }: Peer): WorkerFigures {
  const { host = "?", pid = "?" } = fields;
  return {
    ...{ id, host, pid },
    subscriptions: objectsIn(fields["subscriptions"]).flatMap((
      [, { handler, category, breaker, finished }],
    ) =>
      typeof handler === "string" && typeof category === "string" && isBreaker(breaker)
        ? [{ handler, category, breaker, finished: isCount(finished) ? finished : undefined }]
        : []
    ),
    pools: objectsIn(fields["pools"]).flatMap(([name, { size, checkedOut, waiting = 0 }]) =>
      isCount(size) && isCount(checkedOut) && isCount(waiting) ? [{ name, size, checkedOut, waiting }] : []
    ),
    checks: objectsIn(fields["checks"]).slice(0, MOST_CHECKS).flatMap(([, { name, status, error }]) =>
      typeof name === "string" && isStatus(status)
        ? [{ name, status, ...(typeof error === "string" && { error: error.slice(0, LONGEST_REASON) }) }]
        : []
    ),
  };
}

/** The objects in a JSON object or array, each with its key. */
function objectsIn(text: string | undefined): (readonly [string, Readonly<Record<string, unknown>>])[] {
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    if (typeof value !== "object" || value === null) return [];
    return Object.entries(value).filter((entry): entry is [string, Record<string, unknown>] =>
      isJsonObject(entry[1])
    );
  } catch {
    return [];
  }
}

function isBreaker(value: unknown): value is SubscriptionStatus["breaker"] {
  return value === "closed" || value === "open" || value === "half_open";
}

function isStatus(value: unknown): value is CheckState["status"] {
  return value === "pending" || value === "ok" || value === "failed";
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && value >= 0;
}
