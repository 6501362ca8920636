/**
 * The adapters of a domain: created from its configuration and opened in their order.
 *
 * @module
 */
import { resolve } from "node:path";
import { observed } from "../adapters/observed.ts";
import type { AdapterKind, AdapterOptions, BaseAdapter, TableSpec } from "../adapters/ports.ts";
import type { AdapterClass, AdapterRegistry } from "../adapters/registry.ts";
import { describeProblem } from "../config/problems.ts";
import { asError, ConfigurationError, ProteanError } from "../errors.ts";
import { isModulePath, loadAdapterClass } from "../loading/adapter_modules.ts";
import { missingMembers } from "../loading/adapter_members.ts";
import { closeOne } from "./closing.ts";
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
 * Constructs the adapter of one section; it is not open. Throws `ConfigurationError` for one that nobody knows,
 * whose module cannot be loaded, whose constructor throws, or that lacks what the server relies on.
 */
export async function createAdapter<K extends AdapterKind>(
  registry: AdapterRegistry,
  { normalizedName: domain, clock, config, migrate, shared = new Map<string, unknown>() }:
    & Pick<RuntimeFacts, "normalizedName" | "clock" | "config">
    & { readonly migrate: boolean; readonly shared?: Map<string, unknown> },
  kind: K,
  name: string,
  settings: Table,
): Promise<Port<K>> {
  const { folder, dataFolder } = config;
  const { provider } = settings;
  if (isModulePath(provider) && !registry.names(kind).includes(provider)) {
    registry.register(kind, provider, await loadAdapterClass(kind, provider, folder));
  }
  return await constructed(registry, kind, provider, {
    name,
    domain,
    // `[outbox] notify` is about the database's adapter, which is told of its own section alone (OBX-2).
    settings: {
      ...withAbsoluteFiles(settings, folder),
      ...(kind === "provider" && { outbox_notify: config.config.outbox.notify }),
    },
    folder: dataFolder,
    clock,
    shared,
    migrate,
  });
}

async function constructed<K extends AdapterKind>(
  registry: AdapterRegistry,
  kind: K,
  provider: string,
  options: AdapterOptions,
): Promise<Port<K>> {
  const place = `The ${kind.replace("_", " ")} adapter '${provider}' ('${options.name}')`;
  let created: Port<K>;
  try {
    created = await registry.create(kind, provider, options);
  } catch (cause) {
    if (cause instanceof ProteanError) throw cause;
    throw new ConfigurationError(`${place} cannot be made: ${asError(cause).message}.`, {
      code: "ADAPTER_FAILED",
      cause,
    });
  }
  const missing = missingMembers(kind, created);
  if (missing.length === 0) return created;
  throw new ConfigurationError(`${place} lacks ${missing.join(", ")}: write what is missing.`, {
    code: "ADAPTER_INCOMPLETE",
  });
}

/** Adapters on their way up. Goes on after a failure, so that all of them are known. */
class Opening {
  readonly failures: Error[] = [];
  readonly #opened: BaseAdapter[] = [];
  readonly #shared = new Map<string, unknown>();

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
    const { registry, options: { signal, migrate } } = this;
    return this.attempt(async () => {
      signal?.throwIfAborted();
      const facts = { ...this.facts, migrate, shared: this.#shared };
      const created = await createAdapter(registry, facts, kind, name, settings);
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
    for (const adapter of this.#opened.toReversed()) await closeOne(adapter, this.facts.clock);
    // What was told to stop has not failed.
    this.options.signal?.throwIfAborted();
    throw summary(this.failures);
  }
}

/** Files and programs are relative to the configuration, not to the folder of the databases. */
function withAbsoluteFiles(settings: Table, folder: string): Table {
  const files = ["tls_ca_file", "password_file"].flatMap((key) => {
    const file = settings[key];
    return typeof file === "string" && file !== "" ? [[key, resolve(folder, file)]] : [];
  });
  const { password_command: command } = settings;
  const [program, ...args] = Array.isArray(command) ? command : [];
  // A bare name is looked for on the PATH.
  const isPath = typeof program === "string" && program.includes("/");
  return {
    ...settings,
    ...Object.fromEntries(files),
    ...(isPath && { password_command: [resolve(folder, program), ...args] }),
  };
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
