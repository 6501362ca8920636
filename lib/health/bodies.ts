/**
 * The bodies of the probes, as the reference writes them (wire 9.1, 9.2), compact.
 *
 * @module
 */
import type { ComponentState, HealthSnapshot } from "./types.ts";

/** Status and JSON body of a probe's answer. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** In the order of the reference. */
const SECTIONS = [
  ["provider", "providers"],
  ["broker", "brokers"],
  ["event_store", "event_store"],
  ["cache", "caches"],
] as const;

/** What `/livez` says of each worker of a supervisor, by number. */
export type WorkerLoops = Readonly<Record<string, "responsive" | "blocked" | "starting" | "down">>;

/** `/livez` and `/healthz` of the engine: about this process, or this supervisor's, only (HLT-1). */
export function engineLiveness(alive: boolean, workers?: WorkerLoops): Answer {
  const named = workers && { workers };
  return alive
    ? { status: 200, body: { status: "ok", checks: { event_loop: "responsive", ...named } } }
    : { status: 503, body: { status: "unavailable", checks: { event_loop: "blocked", ...named } } };
}

/** `/readyz` of the engine. */
export function engineReadiness(snapshot: HealthSnapshot): Answer {
  if (snapshot.shuttingDown) {
    return { status: 503, body: { status: "unavailable", checks: { shutting_down: true } } };
  }
  if (snapshot.draining) return { status: 503, body: { status: "unavailable", checks: { draining: true } } };
  return readiness(snapshot, {
    shutting_down: false,
    draining: false,
    ...(snapshot.starting && { starting: true }),
    ...sections(snapshot.components),
    ...(snapshot.checks && { domain_checks: byName(snapshot.checks) }),
    ...(snapshot.subscriptions && { subscriptions: snapshot.subscriptions }),
    ...(snapshot.workers && { workers: snapshot.workers }),
  });
}

/** `/scale`. Without a number there is none to scale by, which autoscalers take for an error, not for no work. */
export function scaleAnswer({ scale }: HealthSnapshot): Answer {
  return scale
    ? { status: 200, body: scale }
    : { status: 503, body: { status: "unavailable", checks: { collection_pending: true } } };
}

/** `POST /drainz`. */
export function drainRequested(pid: number): Answer {
  return { status: 200, body: { status: "draining", pid } };
}

/** Whether `/readyz` says 200. */
export function isReady(
  { shuttingDown, draining, starting, components, checks = [], workers = {} }: HealthSnapshot,
): boolean {
  if (checks.some(({ gatesReadiness, status }) => gatesReadiness && status !== "ok")) return false;
  return !shuttingDown && !draining && !starting && components.every(({ status }) => status === "ok") &&
    Object.values(workers).every(({ status }) => status === "ok");
}

/** `/livez` and `/healthz` of an application that mounts the router. */
export function applicationLiveness(): Answer {
  return { status: 200, body: { status: "ok", checks: { application: "running" } } };
}

/** `/readyz` of an application that mounts the router. */
export function applicationReadiness(snapshot: HealthSnapshot): Answer {
  return readiness(snapshot, sections(snapshot.components));
}

function readiness(snapshot: HealthSnapshot, checks: unknown): Answer {
  const soon = warnings(snapshot);
  const ahead = soon.length > 0 && { warnings: soon };
  if (isReady(snapshot)) return { status: 200, body: { status: "ok", checks, ...ahead } };
  const known = reasons(snapshot);
  return {
    status: 503,
    body: { status: "degraded", checks, ...(known.length > 0 && { reasons: known }), ...ahead },
  };
}

/**
 * What will make a component unavailable, and checks that fail and that readiness does not go by: one entry
 * each. Not in the reference.
 */
function warnings(
  { components, checks = [] }: HealthSnapshot,
): readonly { readonly component: string; readonly name: string; readonly warning: string }[] {
  const failing = checks.filter(({ gatesReadiness }) => !gatesReadiness);
  return [
    ...components.flatMap(({ kind, name, warning }) =>
      warning === undefined ? [] : [{ component: kind, name, warning }]
    ),
    ...failing.flatMap(({ name, error }) =>
      error === undefined ? [] : [{ component: CHECK, name, warning: error }]
    ),
  ];
}

/** What a check is called beside components. */
const CHECK = "check";

/**
 * Why a component is unavailable, and a check fails that readiness goes by, where that is known: one entry each.
 * Not in the reference.
 */
function reasons(
  { components, checks = [] }: HealthSnapshot,
): readonly { readonly component: string; readonly name: string; readonly reason: string }[] {
  const gates = checks.filter(({ gatesReadiness }) => gatesReadiness);
  return [...components, ...gates.map((check) => ({ ...check, kind: CHECK }))].flatMap(
    ({ kind, name, error }) => error === undefined ? [] : [{ component: kind, name, reason: error }],
  );
}

/** Only what is configured is listed; the event store is one status, the other kinds are status by name. */
function sections(components: readonly ComponentState[]): Record<string, unknown> {
  const listed: Record<string, unknown> = {};
  for (const [kind, section] of SECTIONS) {
    const own = components.filter((component) => component.kind === kind);
    if (own.length > 0) listed[section] = section === "event_store" ? worst(own) : byName(own);
  }
  return listed;
}

function byName(
  components: readonly { readonly name: string; readonly status: string }[],
): Record<string, string> {
  return Object.fromEntries(components.map(({ name, status }) => [name, status]));
}

function worst(components: readonly ComponentState[]): string {
  return components.every(({ status }) => status === "ok") ? "ok" : "unavailable";
}
