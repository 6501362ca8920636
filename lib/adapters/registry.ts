/**
 * Adapters by name. The only place that names concrete adapters; each is loaded when first asked for.
 *
 * @module
 */
import { ConfigurationError } from "../errors.ts";
import type {
  AdapterKind,
  AdapterOptions,
  BaseBroker,
  BaseCache,
  BaseEventStore,
  BaseProvider,
} from "./ports.ts";

interface Ports {
  provider: BaseProvider;
  broker: BaseBroker;
  cache: BaseCache;
  event_store: BaseEventStore;
}

/** A class that extends the base class of its kind. */
export type AdapterClass<K extends AdapterKind> = new (options: AdapterOptions) => Ports[K];
type Loaders<K extends AdapterKind> = Record<string, () => Promise<AdapterClass<K>>>;

const builtIn: { readonly [K in AdapterKind]: Loaders<K> } = {
  provider: {
    memory: async () => (await import("./memory/provider.ts")).MemoryProvider,
    sqlite: async () => (await import("./sqlite/provider.ts")).SqliteProvider,
    postgresql: async () => (await import("./postgres/provider.ts")).PostgresProvider,
  },
  broker: {
    memory: async () => (await import("./memory/broker.ts")).MemoryBroker,
    sqlite: async () => (await import("./sqlite/broker.ts")).SqliteBroker,
    redis: async () => (await import("./redis/broker.ts")).RedisBroker,
  },
  cache: {
    memory: async () => (await import("./memory/cache.ts")).MemoryCache,
    sqlite: async () => (await import("./sqlite/cache.ts")).SqliteCache,
    redis: async () => (await import("./redis/cache.ts")).RedisCache,
  },
  event_store: {
    memory: async () => (await import("./memory/event_store.ts")).MemoryEventStore,
    sqlite: async () => (await import("./sqlite/event_store.ts")).SqliteEventStore,
  },
};

/** Finds adapter classes: the built-in ones and those registered on a domain. */
export class AdapterRegistry {
  readonly #own = new Map<string, AdapterClass<AdapterKind>>();

  /** Registers a custom adapter under `name`; it hides a built-in one of that name. */
  register<K extends AdapterKind>(kind: K, name: string, adapter: AdapterClass<K>): void {
    this.#own.set(`${kind}/${name}`, adapter as AdapterClass<AdapterKind>);
  }

  /** Names that `create` accepts, sorted. */
  names(kind: AdapterKind): readonly string[] {
    const own = [...this.#own.keys()].filter((key) => key.startsWith(`${kind}/`)).map((key) =>
      key.slice(kind.length + 1)
    );
    return [...new Set([...Object.keys(builtIn[kind]), ...own])].sort();
  }

  /** Whether `name` means an adapter of this server's, and none that was registered. */
  isBuiltIn(kind: AdapterKind, name: string): boolean {
    return Object.hasOwn(builtIn[kind], name) && !this.#own.has(`${kind}/${name}`);
  }

  /** Constructs an adapter. Throws `ConfigurationError` when nothing is registered under `name`. */
  async create<K extends AdapterKind>(kind: K, name: string, options: AdapterOptions): Promise<Ports[K]> {
    const own = this.#own.get(`${kind}/${name}`) as AdapterClass<K> | undefined;
    const loaders: Loaders<K> = builtIn[kind];
    const load = Object.hasOwn(loaders, name) ? loaders[name] : undefined;
    if (!own && !load) {
      throw new ConfigurationError(
        `No ${kind.replace("_", " ")} adapter is called '${name}' (section '${options.name}'): use one of ${
          this.names(kind).join(", ")
        }.`,
        { code: "CONFIG_UNKNOWN_ADAPTER" },
      );
    }
    const adapter = own ?? await load?.();
    if (!adapter) throw new ConfigurationError(`The ${kind} adapter '${name}' could not be loaded.`);
    return new adapter(options);
  }
}
