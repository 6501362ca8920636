/**
 * What a subscription does beside reading: takes over what the dead have left, trims its stream, removes dead
 * consumers.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { StreamGroup } from "../adapters/ports.ts";
import { sleep } from "../async/clock.ts";
import { every, together } from "../async/every.ts";
import { asError } from "../errors.ts";
import { reporting, unheard, type WorkReporter } from "../status/work_health.ts";
import type { Recovery } from "./recovery.ts";
import type { SubscriptionScope } from "./scope.ts";
import type { StreamLane } from "./stream_lane.ts";

const log = getLogger(["protean", "subscription"]);

/** Consumers without anything pending are removed after this long idle (PIPE-9). */
const SWEEP_IDLE_MS = 3_600_000;
/**
 * A process that lives shows itself every second. Two may have one host and one number: containers on one
 * host's network.
 */
const OWN_IDLE_MS = 10_000;
const SWEEP_EVERY_PASSES = 60;
/** One trim removes at most this many entries (delivery 8); a pass repeats it at most this often. */
const TRIM_STEP = 10_000;
const TRIM_STEPS = 50;

/** What a subscription waits at the start until it knows who lives (delivery 22), and how often it looks. */
const CLEAR_WITHIN_MS = 8_000;
const LOOK_AGAIN_MS = 250;
/** How often it is looked afterwards whether somebody has died: what is left is taken within five seconds. */
const LOOK_MS = 1_000;

/** What failed is tried again so soon, however long the interval: until then readiness tells of it. */
const AGAIN_MS = 5_000;

type Step = readonly [name: string, work: () => Promise<unknown>, reporter?: WorkReporter | undefined];

export class Maintenance {
  /** What each pass asks of the broker is told of, of each lane by itself. */
  readonly #claims: ReadonlyMap<StreamLane, WorkReporter>;
  readonly #trims: WorkReporter;
  #failing = false;

  constructor(
    private readonly scope: SubscriptionScope,
    private readonly lanes: readonly StreamLane[],
    private readonly recovery: Recovery,
    reporter: () => WorkReporter,
  ) {
    this.#claims = new Map(lanes.map((lane) => [lane, reporter()]));
    this.#trims = reporter();
  }

  /**
   * A pass at every claim interval, and a claim as soon as somebody may have died, until `signal` aborts.
   * Never rejects.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.scope;
    await Promise.all([
      this.#passes(signal),
      ...this.#lasting().filter(({ group }) => group.unclear).map((lane) =>
        every(clock, LOOK_MS, signal, () => this.#takeFromTheDead(lane))
      ),
    ]);
  }

  async #passes(signal: AbortSignal): Promise<void> {
    const { clock, settings: { claimIntervalMs } } = this.scope;
    for (let pass = 1; !signal.aborted; pass++) {
      const ms = this.#failing ? Math.min(claimIntervalMs, AGAIN_MS) : claimIntervalMs;
      await sleep(clock, together(clock, ms), signal);
      if (!signal.aborted) await this.pass(pass);
    }
  }

  /**
   * One pass, numbered from 0 at the start. Never rejects: each step fails by itself and is taken up again by
   * the next pass, because a Redis that is full refuses to create a group and lets everything else be done
   * that makes it less full.
   */
  async pass(pass: number): Promise<void> {
    const { name, stopped } = this.scope;
    this.#failing = false;
    for (const [step, work, reporter = unheard] of this.#steps(pass)) {
      if (stopped.aborted) return;
      try {
        await reporting(reporter, work(), AGAIN_MS);
      } catch (error) {
        this.#failing = true;
        // The read loop reports an unreachable broker.
        log.debug("subscription.maintenance_deferred", {
          subscription: name,
          step,
          error: asError(error).message,
        });
      }
    }
  }

  /**
   * Resolves when a subscription that begins may read: whether the others live is known, and what the dead
   * have left is taken, so that no younger message of a stream overtakes it (D6). After eight seconds at the
   * latest, or when `signal` aborts. Never rejects: the read loop reports a broker that is away.
   */
  async untilClear(signal: AbortSignal): Promise<void> {
    const { clock } = this.scope;
    const end = clock.monotonic() + CLEAR_WITHIN_MS;
    for (const lane of this.#lasting()) {
      try {
        while (!signal.aborted && clock.monotonic() < end && await lane.group.unclear?.()) {
          await sleep(clock, LOOK_AGAIN_MS, signal);
          await this.recovery.pass(lane);
        }
      } catch (error) {
        log.debug("subscription.not_clear", { subscription: this.scope.name, error: asError(error).message });
      }
    }
  }

  async #takeFromTheDead(lane: StreamLane): Promise<void> {
    try {
      if (await lane.group.unclear?.()) await this.recovery.pass(lane);
    } catch (error) {
      log.debug("subscription.not_clear", { subscription: this.scope.name, error: asError(error).message });
    }
  }

  /** A replay lane is made by the replay and goes with its last entry. */
  #lasting(): readonly StreamLane[] {
    return this.lanes.filter(({ kind }) => kind !== "replay");
  }

  *#steps(pass: number): Iterable<Step> {
    const { retentionMaxlen } = this.scope.settings;
    const lasting = this.#lasting().map(({ group }) => group);
    if (pass === 0) { for (const group of lasting) yield ["ensure", () => group.ensure()]; }
    for (const lane of this.lanes) yield ["claim", () => this.recovery.pass(lane), this.#claims.get(lane)];
    if (retentionMaxlen) {
      for (const group of lasting) {
        yield ["trim", () => trim(group, retentionMaxlen), this.#trims];
      }
    }
    if (pass % SWEEP_EVERY_PASSES === 0) {
      const prefix = ownPrefix(this.scope.consumer);
      const own = prefix === undefined ? undefined : { prefix, idleMs: OWN_IDLE_MS };
      for (const group of lasting) yield ["sweep", () => group.sweep(SWEEP_IDLE_MS, own)];
    }
  }
}

/** `H-host-1000-` of `H-host-1000-5f77f6`: what a process of that host and number, which is ours now, has left. */
function ownPrefix(consumer: string): string | undefined {
  return /^.+-\d+-(?=[0-9a-f]{6}$)/.exec(consumer)?.[0];
}

async function trim(group: StreamGroup, maxLength: number): Promise<void> {
  for (let step = 0; step < TRIM_STEPS; step++) {
    if (await group.trim(maxLength) < TRIM_STEP) return;
  }
}
