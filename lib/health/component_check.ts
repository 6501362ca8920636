/**
 * The health of one component, from pings.
 *
 * Two strikes make it unavailable, one good answer makes it available again, so that a single lost packet
 * does not take a pod out of its Service. With a ping every 2 s, bounded by 1 s, a hang is noticed within 5 s
 * (HLT-2 asks for 10).
 *
 * @module
 */
import type { Clock } from "../async/clock.ts";
import { asError, UnavailableError } from "../errors.ts";
import type { Component, ComponentFault } from "./types.ts";

const STRIKES = 2;

/** Judges one component. */
export class ComponentCheck {
  readonly #component: Component;
  readonly #clock: Clock;
  // Nothing is known before the first answer: not ready.
  #strikes = STRIKES;
  #error: Error | undefined;

  constructor(component: Component, clock: Clock) {
    this.#component = component;
    this.#clock = clock;
  }

  get component(): Component {
    return this.#component;
  }

  /** Undefined: it answers. */
  get fault(): ComponentFault | undefined {
    if (this.#strikes < STRIKES) return undefined;
    const { kind, name } = this.#component;
    return { kind, name, ...(this.#error && { error: this.#error }) };
  }

  /**
   * Pings once, waiting at most `timeoutMs`. Never rejects; an aborted `signal` leaves the state as it was.
   */
  async ping(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    try {
      await bounded((inner) => this.#component.ping(inner), timeoutMs, this.#clock, signal);
      if (!signal.aborted) this.#succeeded();
    } catch (thrown) {
      if (signal.aborted) return;
      this.#strikes++;
      this.#error = asError(thrown);
    }
  }

  #succeeded(): void {
    this.#strikes = 0;
    this.#error = undefined;
  }
}

/**
 * Runs `work`; rejects when it has not settled after `timeoutMs` or when `signal` aborts, whatever `work`
 * does.
 */
async function bounded(
  work: (signal: AbortSignal) => Promise<void>,
  timeoutMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const inner = new AbortController();
  const cut = Promise.withResolvers<never>();
  const onAbort = () => stop(new UnavailableError("The health check was stopped."));
  const stop = (reason: Error) => {
    inner.abort(reason);
    cut.reject(reason);
  };
  const cancel = clock.after(
    timeoutMs,
    () => stop(new UnavailableError(`No answer within ${timeoutMs} ms.`)),
  );
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([work(inner.signal), cut.promise]);
  } finally {
    cancel();
    signal.removeEventListener("abort", onAbort);
  }
}
