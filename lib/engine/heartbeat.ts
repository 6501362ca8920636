/**
 * What this worker tells the others of itself, every 5 s (operations 1). A broker that refuses it costs a
 * warning once: nobody's messages depend on it.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { deadline } from "../async/abort.ts";
import { type Clock, sleep } from "../async/clock.ts";
import { together } from "../async/every.ts";
import { BackgroundService, type EngineService } from "../async/service.ts";
import type { Peers } from "../adapters/ports.ts";
import type { CheckState } from "../domain/check.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { asError } from "../errors.ts";
import { VERSION } from "../executable/version.ts";
import { finishedOf, type SubscriptionStatus } from "../subscription/status.ts";

const log = getLogger(["protean", "engine"]);

export const HEARTBEAT_EVERY_MS = 5_000;
export const HEARTBEAT_TTL_MS = 30_000;
/** How long a broker that hangs is waited for. */
const MOST_MS = 4_000;
const WITHDRAW_MS = 500;

export interface HeartbeatOptions {
  readonly peers: Peers;
  /** Name of this worker among all of them. */
  readonly id: string;
  /** What there is to tell now. */
  readonly tell: () => Readonly<Record<string, string>>;
  readonly clock: Clock;
}

export class Heartbeat extends BackgroundService implements EngineService {
  readonly stage = "maintenance";
  readonly name = "heartbeat";
  readonly #options: HeartbeatOptions;
  #refused = false;

  constructor(options: HeartbeatOptions) {
    super();
    this.#options = options;
  }

  protected async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      await this.#announce(signal);
      await sleep(clock, together(clock, HEARTBEAT_EVERY_MS), signal);
    }
  }

  protected override async end(): Promise<void> {
    const { peers, id, clock } = this.#options;
    await deadline(() => peers.withdraw(id), WITHDRAW_MS, clock).catch(() => {});
  }

  async #announce(signal: AbortSignal): Promise<void> {
    const { peers, id, tell, clock } = this.#options;
    const began = clock.monotonic();
    await sleep(clock, 0);
    // What a callback that is due now has to wait for.
    const delay = (clock.monotonic() - began).toFixed(1);
    try {
      const fields = { ...tell(), event_loop_delay_ms: delay };
      await deadline(() => peers.announce({ id, fields }, HEARTBEAT_TTL_MS), MOST_MS, clock, signal);
      this.#refused = false;
    } catch (error) {
      if (signal.aborted || this.#refused) return;
      this.#refused = true;
      log.warn("worker.not_announced", { error: asError(error).message });
    }
  }
}

/** What every worker tells of itself; values with a structure are JSON. */
export function announced(
  runtime: DomainRuntime,
  identity: { readonly id: string; readonly started: string },
  subscriptions: readonly SubscriptionStatus[],
  checks: readonly CheckState[] = [],
): Record<string, string> {
  const { release } = runtime.config.config.server;
  const pools = [...runtime.providers].flatMap(([name, provider]) => {
    const stats = provider.poolStats();
    return stats ? [[name, stats] as const] : [];
  });
  return {
    id: identity.id,
    domain: runtime.name,
    host: Deno.hostname(),
    pid: String(Deno.pid),
    started: identity.started,
    version: VERSION,
    ...(release !== undefined && { release }),
    subscriptions: JSON.stringify(Object.fromEntries(subscriptions.map((status) => [status.name, {
      handler: status.handler,
      category: status.category,
      state: status.paused ? "paused" : "running",
      in_flight: status.inFlight,
      retrying: status.retrying,
      last_poll_age_ms: status.lastPollAgeMs,
      breaker: status.breaker,
      finished: finishedOf(status),
    }]))),
    handles: JSON.stringify(
      Object.fromEntries(runtime.runners.map(({ group, types = [] }) => [group, types])),
    ),
    ...(checks.length > 0 && {
      checks: JSON.stringify(checks.map(({ name, status, error }) => ({ name, status, error }))),
    }),
    pools: JSON.stringify(Object.fromEntries(pools)),
    memory_bytes: String(Deno.memoryUsage().rss),
  };
}
