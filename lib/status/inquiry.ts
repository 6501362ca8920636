/**
 * Figures that are asked for one by one, each of which may be unknown.
 *
 * @module
 */
import { asError } from "../errors.ts";

/** Asks for figures one by one and notes whether anybody answers. */
export class Inquiry {
  #answered = false;
  #failure: Error | undefined;

  /** Null where there is no answer. Never rejects. */
  async of<T>(ask: () => Promise<T>): Promise<T | null> {
    try {
      const figure = await ask();
      this.#answered = true;
      return figure;
    } catch (error) {
      this.#failure ??= asError(error);
      return null;
    }
  }

  assertSome(): void {
    if (this.#failure && !this.#answered) throw this.#failure;
  }
}
