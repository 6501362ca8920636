/**
 * Watches every component in the background, so that probes only read memory (design 7). Transitions are
 * logged, probes are not (HLT-5).
 *
 * A component is available while it answers pings and no work with it fails (HLT-2). Neither makes up for the
 * other: a ping does not wipe out what the work saw, and work that goes well does not stand for a ping, which
 * may be about something else.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { type Clock, sleep, systemClock } from "../async/clock.ts";
import { together } from "../async/every.ts";
import { BackgroundService } from "../async/service.ts";
import type { CheckState } from "../domain/check.ts";
import { ComponentCheck } from "./component_check.ts";
import { ComponentWarnings } from "./component_warnings.ts";
import type { WorkHealth } from "../status/work_health.ts";
import { SubscriptionCollector, type SubscriptionSource } from "./subscription_collector.ts";
import type { Component, ComponentFault, ComponentState, HealthSnapshot } from "./types.ts";

const log = getLogger(["protean", "health"]);

/** Options of `HealthMonitor`. */
export interface HealthMonitorOptions {
  readonly components: readonly Component[];
  /** What services tell of their work. @default nobody tells anything */
  readonly work?: WorkHealth;
  /** Absent: the snapshot has no `subscriptions`. */
  readonly subscriptions?: SubscriptionSource;
  /** How the checks of the domain went last. @default there are none */
  readonly checks?: () => readonly CheckState[];
  /** Not ready before `started()`. @default false */
  readonly starting?: boolean;
  /** @default the machine's clock */
  readonly clock?: Clock;
  /** From the start of one round to the start of the next. @default 2000 */
  readonly intervalMs?: number;
  /** How long one ping may take. @default 1000 */
  readonly pingTimeoutMs?: number;
}

/** Keeps the snapshot that readiness is answered from. */
export class HealthMonitor extends BackgroundService {
  readonly name = "health_monitor";
  readonly #checks: readonly ComponentCheck[];
  readonly #warnings: ComponentWarnings;
  readonly #work: WorkHealth | undefined;
  readonly #collector: SubscriptionCollector | undefined;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #pingTimeoutMs: number;
  readonly #logged = new Map<string, ComponentState["status"]>();
  readonly #domainChecks: () => readonly CheckState[];
  #starting: boolean;
  #shuttingDown = false;
  #draining = false;

  constructor(options: HealthMonitorOptions) {
    super();
    this.#clock = options.clock ?? systemClock;
    this.#checks = options.components.map((component) => new ComponentCheck(component, this.#clock));
    this.#warnings = new ComponentWarnings(options.components, this.#clock);
    this.#work = options.work;
    this.#domainChecks = options.checks ?? (() => []);
    this.#starting = options.starting ?? false;
    this.#collector = options.subscriptions &&
      new SubscriptionCollector(options.subscriptions, this.#clock);
    this.#intervalMs = options.intervalMs ?? 2_000;
    this.#pingTimeoutMs = options.pingTimeoutMs ?? 1_000;
  }

  /** What is known now; costs no I/O. */
  snapshot(): HealthSnapshot {
    const components = this.#states();
    const scale = this.#collector?.scale;
    const checks = this.#domainChecks();
    // What a probe is told stands in the log, also where it is over before the next look.
    if (this.#logged.size > 0) this.#logTransitions(components);
    return {
      shuttingDown: this.#shuttingDown,
      ...(this.#draining && { draining: true }),
      ...(this.#starting && { starting: true }),
      components,
      ...(checks.length > 0 && { checks }),
      ...(this.#collector && { subscriptions: this.#collector.block }),
      ...(scale && { scale }),
    };
  }

  /** The checks of the start have ended: from now on readiness is about the components. */
  started(): void {
    this.#starting = false;
  }

  /** From now on readiness says `draining` (`POST /drainz`). */
  beginDraining(): void {
    this.#draining = true;
  }

  /** From now on readiness says `shutting_down` (design 7, step 1 of the drain). */
  beginShutdown(): void {
    this.#shuttingDown = true;
  }

  /**
   * Pings every component once, now, and returns those that do not answer; for `--require-dependencies`.
   * Takes at most the time of one ping.
   */
  async check(signal: AbortSignal = new AbortController().signal): Promise<readonly ComponentFault[]> {
    await Promise.all(this.#checks.map((check) => check.ping(this.#pingTimeoutMs, signal)));
    for (const { component: { kind, name }, fault } of this.#checks) this.#work?.pinged(kind, name, !fault);
    if (!signal.aborted) this.#logTransitions(this.#states());
    return this.#checks.flatMap(({ fault }) => fault ?? []);
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    const collector = this.#collector;
    await Promise.all([
      this.#every(signal, () => this.check(signal)),
      this.#warnings.watch(signal),
      // Apart, because a hanging collection must not hold up the pings.
      collector && this.#every(signal, () => collector.refresh(signal)),
    ]);
  }

  async #every(signal: AbortSignal, work: () => Promise<unknown>): Promise<void> {
    while (!signal.aborted) {
      const began = this.#clock.monotonic();
      await work();
      const left = this.#intervalMs - (this.#clock.monotonic() - began);
      await sleep(this.#clock, together(this.#clock, Math.max(0, left)), signal);
    }
  }

  #states(): readonly ComponentState[] {
    return this.#checks.map(({ component: { kind, name }, fault }) => {
      const wasUnavailable = this.#logged.get(`${kind}/${name}`) === "unavailable";
      const ofWork = wasUnavailable ? this.#work?.trouble(kind, name) : this.#work?.fault(kind, name);
      const error = fault ? fault.error?.message : ofWork;
      if (!fault && error === undefined) {
        const warning = this.#warnings.of(kind, name);
        return { kind, name, status: "ok", ...(warning !== undefined && { warning }) };
      }
      return { kind, name, status: "unavailable", ...(error !== undefined && { error }) };
    });
  }

  #logTransitions(states: readonly ComponentState[]): void {
    for (const { kind, name, status, error } of states) {
      const key = `${kind}/${name}`;
      const before = this.#logged.get(key);
      if (before === status) continue;
      this.#logged.set(key, status);
      if (status === "unavailable") {
        log.warn("health.component_unavailable", { kind, name, error });
      } else if (before) {
        log.info("health.component_available", { kind, name });
      }
    }
  }
}
