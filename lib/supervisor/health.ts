/**
 * How all workers of a supervisor are, in one answer (HLT-4): alive while every one of them is, ready while
 * every one of them is there and ready.
 *
 * @module
 */
import type { CheckState } from "../domain/check.ts";
import { type Answer, engineLiveness, engineReadiness, isReady, type WorkerLoops } from "../health/bodies.ts";
import { processRoutes, type Routes } from "../health/routes.ts";
import type {
  ComponentState,
  HealthSnapshot,
  SubscriptionRow,
  SubscriptionsBlock,
  WorkerHealth,
} from "../health/types.ts";
import { mergedText } from "../telemetry/metrics/merged_text.ts";
import type { Slot, Supervisor } from "./supervisor.ts";

type Supervised = Pick<Supervisor, "slots" | "stopping" | "quiesced" | "quiesce">;

/** The probes of a supervisor. */
export function supervisorRoutes(supervisor: Supervised): Routes {
  return processRoutes(
    () => liveness(supervisor.slots),
    () => engineReadiness(poolSnapshot(supervisor)),
    () => poolSnapshot(supervisor),
    () => supervisor.quiesce(),
  );
}

/** The metrics of all workers that answer, as one page. */
export async function poolPage({ slots }: Pick<Supervised, "slots">): Promise<string> {
  const texts = await Promise.all(slots.map(({ current }) => current?.page()));
  return mergedText(texts.filter((text) => text !== undefined));
}

/** Whether a restart of them all would help. */
export function poolAlive(slots: readonly Slot[]): boolean {
  return !slots.some(({ current }) => current?.health.blocked);
}

function liveness(slots: readonly Slot[]): Answer {
  const loops: WorkerLoops = byNumber(slots, ({ current }) => {
    if (!current) return "down";
    return current.health.blocked ? "blocked" : current.health.begun ? "responsive" : "starting";
  });
  return engineLiveness(poolAlive(slots), loops);
}

/** What readiness is answered from. */
export function poolSnapshot({ slots, stopping, quiesced }: Omit<Supervised, "quiesce">): HealthSnapshot {
  // What a blocked worker said last may be long over.
  const known = slots.flatMap(({ current }) => {
    const snapshot = current?.health.blocked ? undefined : current?.health.snapshot;
    return snapshot ? [snapshot] : [];
  });
  const scale = known.find((snapshot) => snapshot.scale)?.scale;
  const checks = worstChecks(known.flatMap(({ checks }) => checks ?? []));
  const subscriptions = merged(known.flatMap(({ subscriptions }) => subscriptions ?? []));
  const states = byNumber(slots, workerHealth);
  const isStarting = known.length < slots.length &&
    Object.values(states).some(({ status }) => status === "starting");
  return {
    shuttingDown: stopping,
    // Nobody has failed: not all have begun.
    ...(isStarting && { starting: true as const }),
    ...(quiesced && { draining: true }),
    components: components(known),
    ...(checks.length > 0 && { checks }),
    ...(subscriptions && { subscriptions }),
    // The same for every worker.
    ...(scale && { scale }),
    workers: states,
  };
}

function workerHealth({ current, restarts }: Slot): WorkerHealth {
  if (!current) return { status: "down", restarts };
  const { health: { blocked, snapshot }, pid } = current;
  const isStarting = snapshot === undefined || snapshot.starting;
  const status = blocked ? "blocked" : isStarting ? "starting" : isReady(snapshot) ? "ok" : "degraded";
  return { status, pid, restarts };
}

function byNumber<T>(slots: readonly Slot[], what: (slot: Slot) => T): Record<string, T> {
  return Object.fromEntries(slots.map((slot) => [`${slot.number}`, what(slot)]));
}

/** Each once, unavailable or warned of where it is for any of them. */
function components(snapshots: readonly HealthSnapshot[]): readonly ComponentState[] {
  const found = new Map<string, ComponentState>();
  for (const state of snapshots.flatMap((snapshot) => snapshot.components)) {
    const key = JSON.stringify([state.kind, state.name]);
    const before = found.get(key);
    const isWarned = before?.status === "ok" && state.warning !== undefined;
    if (!before || state.status === "unavailable" || isWarned) found.set(key, state);
  }
  return [...found.values()];
}

const CHECKS = ["ok", "pending", "failed"] as const;

/** Each once, as it is where it is worst. */
function worstChecks(states: readonly CheckState[]): readonly CheckState[] {
  const worst = new Map<string, CheckState>();
  for (const state of states) {
    const before = worst.get(state.name);
    if (!before || CHECKS.indexOf(state.status) > CHECKS.indexOf(before.status)) worst.set(state.name, state);
  }
  return [...worst.values()];
}

const BREAKERS = ["closed", "half_open", "open"] as const;

/** The figures are those of whole groups, the same for every worker; breakers are each worker's own. */
function merged(blocks: readonly SubscriptionsBlock[]): SubscriptionsBlock | undefined {
  const base = blocks.find((block) => !block.collection_pending && !block.collection_error && !block.stale) ??
    blocks.find(({ details }) => details.length > 0) ?? blocks[0];
  if (!base) return undefined;
  const worst = new Map<string, number>();
  for (const { name, circuit_state } of blocks.flatMap(({ details }) => details)) {
    if (circuit_state) worst.set(name, Math.max(worst.get(name) ?? 0, BREAKERS.indexOf(circuit_state)));
  }
  const withWorst = (row: SubscriptionRow): SubscriptionRow => {
    const state = BREAKERS[worst.get(row.name) ?? 0];
    return row.circuit_state && state ? { ...row, circuit_state: state } : row;
  };
  return { ...base, details: base.details.map(withWorst) };
}
