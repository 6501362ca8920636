/**
 * The adapters of a domain: created from its configuration, opened and closed in their order.
 *
 * @module
 */
import { resolve } from "node:path";
import { observed } from "../adapters/observed.ts";
import type { AdapterKind, BaseAdapter, TableSpec } from "../adapters/ports.ts";
import type { Clock } from "../async/clock.ts";
import type { AdapterClass, AdapterRegistry } from "../adapters/registry.ts";
import { describeProblem } from "../config/problems.ts";
import { asError, ConfigurationError, ProteanError } from "../errors.ts";
import { closeInOrder } from "./closing.ts";
import { isModulePath, loadAdapterClass } from "../loading/adapter_modules.ts";
import type { Adapters, RuntimeFacts } from "./runtime.ts";

type Port<K extends AdapterKind> = InstanceType<AdapterClass<K>>;
type Table = Readonly<Record<string, unknown>> & { readonly provider: string };

interface OpenOptions {
  readonly signal: AbortSignal | undefined;
  /** False: tables are left as they are. */
  readonly migrate: boolean;
}

/**
 * Creates and opens every adapter that the configuration names, databases first; embedded databases get their
 * tables. Closes again what was opened when one fails, and tells every configuration problem at once.
 */
export async function openAdapters(
  registry: AdapterRegistry,
  facts: RuntimeFacts,
  tables: ReadonlyMap<string, readonly TableSpec[]>,
  options: OpenOptions,
): Promise<Adapters> {
  const { config } = facts.config;
  const opening = new Opening(registry, facts, options);
  const providers = await opening.all("provider", config.databases);
  const brokers = await opening.all("broker", config.brokers);
  const caches = await opening.all("cache", config.caches);
  const eventStore = config.event_store && await opening.one("event_store", "default", config.event_store);
  if (options.migrate && opening.failures.length === 0) {
    for (const [name, provider] of providers) {
      if (!provider.capabilities.embedded) continue;
      await opening.attempt(() => provider.setup("all", tables.get(name) ?? []));
    }
  }
  await opening.finish();
  return { providers, brokers, caches, eventStore };
}

/**
 * Closes event store, brokers, caches and providers in that order, all of them, within 2 s; returns what
 * failed (S73).
 */
export async function closeAdapters(
  { eventStore, brokers, caches, providers }: Adapters,
  clock: Clock,
): Promise<readonly Error[]> {
  const kinds: readonly [string, Iterable<BaseAdapter>][] = [
    ["event store", eventStore ? [eventStore] : []],
    ["broker", brokers.values()],
    ["cache", caches.values()],
    ["database", providers.values()],
  ];
  const kindOf = new Map(
    kinds.flatMap(([kind, adapters]) => [...adapters].map((adapter) => [adapter, kind])),
  );
  return [...await closeInOrder(kindOf.keys(), clock)].map(([adapter, cause]) =>
    new ProteanError(`The ${kindOf.get(adapter)} '${adapter.name}' did not close cleanly: ${cause.message}`, {
      ...{ code: "CLOSE_FAILED", cause },
    })
  );
}

/** Adapters on their way up. Goes on after a failure, so that all of them are known. */
class Opening {
  readonly failures: Error[] = [];
  readonly #opened: BaseAdapter[] = [];

  constructor(
    private readonly registry: AdapterRegistry,
    private readonly facts: RuntimeFacts,
    private readonly options: OpenOptions,
  ) {}

  /** Opens one adapter per section. */
  async all<K extends AdapterKind>(
    kind: K,
    sections: Readonly<Record<string, Table>>,
  ): Promise<Map<string, Port<K>>> {
    const adapters = new Map<string, Port<K>>();
    for (const [name, settings] of Object.entries(sections)) {
      const adapter = await this.one(kind, name, settings);
      if (adapter) adapters.set(name, adapter);
    }
    return adapters;
  }

  one<K extends AdapterKind>(kind: K, name: string, settings: Table): Promise<Port<K> | undefined> {
    const { registry, facts: { normalizedName: domain, clock, config }, options: { signal, migrate } } = this;
    const { folder, dataFolder } = config;
    const { provider } = settings;
    return this.attempt(async () => {
      signal?.throwIfAborted();
      if (isModulePath(provider) && !registry.names(kind).includes(provider)) {
        registry.register(kind, provider, await loadAdapterClass(kind, provider, folder));
      }
      const created = await registry.create(kind, provider, {
        name,
        domain,
        // `[outbox] notify` is about the database's adapter, which is told of its own section alone (OBX-2).
        settings: {
          ...withAbsoluteFile(settings, folder),
          ...(kind === "provider" && { outbox_notify: config.config.outbox.notify }),
        },
        folder: dataFolder,
        clock,
        migrate,
      });
      const adapter = this.#observed(kind, name, created);
      this.#opened.push(adapter);
      await adapter.open(signal);
      return adapter;
    });
  }

  /** The adapter itself where nobody observes calls: nothing is wrapped for nobody. */
  #observed<K extends AdapterKind>(kind: K, name: string, adapter: Port<K>): Port<K> {
    const { observer } = this.facts;
    if (!observer.call) return adapter;
    return observed(adapter, (operation) => observer.call?.(kind, name, operation));
  }

  /** Runs `work`, whose failure is told by `finish`. */
  async attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.failures.push(asError(error));
      return undefined;
    }
  }

  /** Throws what failed, or why it was to stop, after closing what did not. */
  async finish(): Promise<void> {
    if (this.failures.length === 0) return;
    await closeInOrder(this.#opened.toReversed(), this.facts.clock);
    // What was told to stop has not failed.
    this.options.signal?.throwIfAborted();
    throw summary(this.failures);
  }
}

/** `tls_ca_file` is relative to the configuration, not to the folder of the databases. */
function withAbsoluteFile(settings: Table, folder: string): Table {
  const { tls_ca_file: file } = settings;
  return typeof file === "string" && file !== ""
    ? { ...settings, tls_ca_file: resolve(folder, file) }
    : settings;
}

function summary(failures: readonly Error[]): Error {
  const [first, second] = failures;
  if (first && !second) return first;
  // An abort, a backend that is away and a defect are not for the operator's list.
  const other = failures.find((error) => !(error instanceof ConfigurationError));
  if (other) return other;
  const found = failures.flatMap((error) => error instanceof ConfigurationError ? error.problems : []);
  // Adapters that share a file or a server have the same to say.
  const problems = [...new Map(found.map((problem) => [describeProblem(problem), problem])).values()];
  if (first && problems.length === 1) return first;
  const lines = problems.map((problem) => `  ${describeProblem(problem)}`);
  return new ConfigurationError(`${failures.length} adapters cannot be opened:\n${lines.join("\n")}`, {
    problems,
    cause: first,
  });
}
