/**
 * Whether Redis's clock goes on as time does. By it Redis tells for how long a consumer was not seen and an
 * entry not touched: where somebody puts it forward, or a failover leads to a server whose clock is ahead,
 * everybody alive looks dead, and what they work on looks left (D11).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { Redis } from "ioredis";
import type { Clock } from "../../async/clock.ts";

const log = getLogger(["protean", "redis"]);

/** Clocks are corrected by less every day, and answers are late by less. */
const STEP_MS = 1_500;
/** TIME is not allowed, or not there behind a proxy; whatever else is wrong concerns every command. */
const REFUSED = /^NOPERM|^ERR (unknown|unsupported) command/i;
/** So many steps are remembered. */
const MOST_STEPS = 16;

interface Step {
  readonly ms: number;
  /** When it was seen, on the clock's monotonic scale. */
  readonly at: number;
}

export class ServerTime {
  readonly #clock: Clock;
  readonly #stepped: () => void;
  /** By how much Redis's epoch ms were ahead of the monotonic scale at the last look, at most. */
  #ahead: number | undefined;
  #steps: readonly Step[] = [];
  /** It may not be asked for. */
  #refused = false;

  /** `stepped` is called when it was put forward. */
  constructor(clock: Clock, stepped: () => void) {
    this.#clock = clock;
    this.#stepped = stepped;
  }

  /**
   * The latest epoch ms that Redis's clock can have come to by itself; -1 where that is not known. What it
   * tells after that is not to be believed before the next look.
   */
  get latest(): number {
    return this.#ahead === undefined ? -1 : Math.ceil(this.#clock.monotonic() + this.#ahead + STEP_MS);
  }

  /** Milliseconds by which it was put forward within the last `ms`. */
  steppedWithin(ms: number): number {
    const since = this.#clock.monotonic() - ms;
    return this.#steps.filter(({ at }) => at >= since).reduce((sum, step) => sum + step.ms, 0);
  }

  /** Asks for the time. Rejects when Redis does not answer, and not where it refuses that alone. */
  async look(client: Redis): Promise<void> {
    if (this.#refused) return;
    const before = this.#clock.monotonic();
    let now: number;
    try {
      const [seconds, micros] = await client.time();
      now = Number(seconds) * 1000 + Number(micros) / 1000;
    } catch (error) {
      if (!(error instanceof Error) || !REFUSED.test(error.message)) throw error;
      this.#refused = true;
      this.#ahead = undefined;
      return;
    }
    const [least, most] = [now - this.#clock.monotonic(), now - before];
    const ms = this.#ahead === undefined ? 0 : least - this.#ahead;
    this.#ahead = most;
    if (ms < STEP_MS) return;
    this.#steps = [...this.#steps, { ms, at: this.#clock.monotonic() }].slice(-MOST_STEPS);
    log.warn("redis.clock_stepped", {
      seconds: Math.round(ms / 1000),
      hint:
        "Redis's clock went on by so much more than this machine's: nobody is taken for gone before all " +
        "had time to show themselves.",
    });
    this.#stepped();
  }
}
