/**
 * Databases and brokers that no server has run on yet: their tables are missing, and that is all that is
 * wrong.
 *
 * @module
 */
import type { BaseAdapter } from "../adapters/ports.ts";
import { deadline } from "../async/abort.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { ConfigurationError } from "../errors.ts";

const MISSING = /no such table|does not exist/;

export class Unborn {
  readonly #runtime: DomainRuntime;
  readonly #ms: number;

  /** `ms`: how long one adapter is waited for. */
  constructor(runtime: DomainRuntime, ms: number) {
    this.#runtime = runtime;
    this.#ms = ms;
  }

  /** Whether all tables of it are missing; false where it does not answer. */
  async is(adapter: BaseAdapter): Promise<boolean> {
    try {
      const components = await deadline(() => adapter.schema([]), this.#ms, this.#runtime.clock);
      return components.length > 0 && components.every(({ state }) => state === "missing");
    } catch {
      return false;
    }
  }

  /** `value`, or what `read` returns; rejects with one sentence where that fails for want of tables. */
  async explained<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      const sentences = await this.#sentences();
      if (sentences.length === 0) throw error;
      throw new ConfigurationError(sentences.join(" "), { code: "DATABASE_TABLE_MISSING", cause: error });
    }
  }

  /** Reasons, those about missing tables as one sentence for each adapter. */
  async inWords(reasons: readonly string[]): Promise<readonly string[]> {
    if (!reasons.some((reason) => MISSING.test(reason))) return reasons;
    const sentences = await this.#sentences();
    return sentences.length === 0
      ? reasons
      : [...sentences, ...reasons.filter((reason) => !MISSING.test(reason))];
  }

  async #sentences(): Promise<readonly string[]> {
    const { providers, brokers } = this.#runtime;
    const places = [
      ...[...providers.values()].map((adapter) => ({ adapter, what: "Database" })),
      ...[...brokers.values()].map((adapter) => ({ adapter, what: "Broker" })),
    ];
    const found = await Promise.all(
      places.map(async ({ adapter, what }) =>
        await this.is(adapter)
          ? [`${what} '${adapter.name}' has no tables yet: start a server, or run db setup.`]
          : []
      ),
    );
    return found.flat();
  }
}
