/**
 * Figures that are asked for one by one, each of which may be unknown.
 *
 * @module
 */
import { deadline } from "../async/abort.ts";
import type { Clock } from "../async/clock.ts";
import { asError } from "../errors.ts";

/** So many different reasons are kept. */
const MOST_REASONS = 10;

/** Asks for figures one by one and notes whether anybody answers. */
export class Inquiry {
  #answered = false;
  #failure: Error | undefined;
  readonly #reasons = new Set<string>();

  /** `limit`: how long one figure is waited for. @default as long as it takes */
  constructor(private readonly limit?: { readonly ms: number; readonly clock: Clock }) {}

  /** Null where there is no answer. Never rejects. */
  async of<T>(ask: () => Promise<T>): Promise<T | null> {
    try {
      const figure = await (this.limit ? deadline(ask, this.limit.ms, this.limit.clock) : ask());
      this.#answered = true;
      return figure;
    } catch (thrown) {
      const error = asError(thrown);
      this.#failure ??= error;
      if (this.#reasons.size < MOST_REASONS) this.#reasons.add(error.message);
      return null;
    }
  }

  /** Why figures are unknown, each reason once, ten at most. */
  get reasons(): readonly string[] {
    return [...this.#reasons];
  }

  assertSome(): void {
    if (this.#failure && !this.#answered) throw this.#failure;
  }
}
