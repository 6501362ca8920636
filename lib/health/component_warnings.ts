/**
 * What will make a component unavailable, seen before it does: asked for now and then in the background, shown
 * in the body of `/readyz`, which stays 200. Transitions are logged (HLT-5).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { deadline } from "../async/abort.ts";
import { type Clock, sleep } from "../async/clock.ts";
import type { Component } from "./types.ts";

const log = getLogger(["protean", "health"]);

const INTERVAL_MS = 10_000;
const ANSWER_MS = 1_000;

export class ComponentWarnings {
  readonly #components: readonly Component[];
  readonly #clock: Clock;
  /** By component; one that does not answer keeps what was known of it. */
  readonly #known = new Map<string, string>();

  constructor(components: readonly Component[], clock: Clock) {
    this.#components = components.filter(({ warning }) => warning !== undefined);
    this.#clock = clock;
  }

  /** What is known now; costs no I/O. */
  of(kind: Component["kind"], name: string): string | undefined {
    return this.#known.get(`${kind}/${name}`);
  }

  /** Asks all components every ten seconds until `signal` aborts. Never rejects. */
  async watch(signal: AbortSignal): Promise<void> {
    while (this.#components.length > 0 && !signal.aborted) {
      await Promise.all(this.#components.map((component) => this.#ask(component, signal)));
      await sleep(this.#clock, INTERVAL_MS, signal);
    }
  }

  async #ask(component: Component, signal: AbortSignal): Promise<void> {
    const { kind, name } = component;
    const key = `${kind}/${name}`;
    try {
      const ask = async (limit: AbortSignal) => await component.warning?.(limit);
      const warning = await deadline(ask, ANSWER_MS, this.#clock, signal);
      const before = this.#known.get(key);
      if (warning === undefined) {
        if (this.#known.delete(key)) log.info("health.component_warning_over", { kind, name });
        return;
      }
      this.#known.set(key, warning);
      if (before === undefined) log.warn("health.component_warning", { kind, name, warning });
    } catch {
      // Whether it answers is what pings are for.
    }
  }
}
