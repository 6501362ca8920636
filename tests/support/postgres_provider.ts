/**
 * Providers on a real PostgreSQL, with short forms for the integration tests.
 *
 * @module
 */
import type { WriteSet } from "../../lib/adapters/ports.ts";
import { PostgresProvider } from "../../lib/adapters/postgres/provider.ts";
import { type Clock, systemClock } from "../../lib/async/clock.ts";

/** An aggregate's table that `TestProvider.ready` sets up. */
export const ORDERS = "protean_shop_order";

export interface ProviderSettings {
  readonly uri: string;
  readonly clock?: Clock;
  /** Further keys of the adapter's table. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** A provider that is closed when the test ends. */
export class TestProvider extends PostgresProvider implements AsyncDisposable {
  constructor({ uri, clock = systemClock, settings = {} }: ProviderSettings) {
    super({
      name: "default",
      domain: "shop",
      settings: { database_uri: uri, ...settings },
      folder: "/",
      clock,
    });
  }

  /** With every table set up. */
  static async ready(options: ProviderSettings): Promise<TestProvider> {
    const provider = new TestProvider(options);
    try {
      await provider.setup("all", [{ kind: "aggregate", name: ORDERS }]);
    } catch (error) {
      await provider.close();
      throw error;
    }
    return provider;
  }

  /** Commits in a session of its own. */
  async commit(writes: Partial<WriteSet>): Promise<void> {
    await this.session().commit({ rows: [], outbox: [], events: [], ...writes });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * Looks again and again until `look` answers true; for what a server does in its own time. Fails after 10 s.
 */
export async function eventually(what: string, look: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!await look()) {
    if (performance.now() > deadline) throw new Error(`${what} did not happen within 10 s.`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
