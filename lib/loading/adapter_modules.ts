/**
 * Adapters named in `domain.toml` by module path: `provider = "./kafka.js"`, or `"./kafka.js#KafkaBroker"`
 * where the module exports several (design 5).
 *
 * @module
 */
import { isAbsolute, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type AdapterKind, BaseBroker, BaseCache, BaseEventStore, BaseProvider } from "../adapters/ports.ts";
import type { AdapterClass } from "../adapters/registry.ts";
import { asError, ConfigurationError, IncorrectUsageError } from "../errors.ts";
import { importFromDisk } from "./disk_module.ts";

const BASES = {
  provider: BaseProvider,
  broker: BaseBroker,
  cache: BaseCache,
  event_store: BaseEventStore,
} as const;

/** True for a provider that is a path and not a name. */
export function isModulePath(provider: string): boolean {
  return /^(\.{1,2}\/|\/|file:)/.test(provider) || isAbsolute(provider.split("#", 1)[0] ?? "");
}

/** Whether `candidate` is a class that extends the base class of its kind. */
export function isAdapterClass<K extends AdapterKind>(
  kind: K,
  candidate: unknown,
): candidate is AdapterClass<K> {
  return typeof candidate === "function" && candidate.prototype instanceof BASES[kind];
}

/** Throws `IncorrectUsageError` unless `candidate` extends the base class of its kind. */
export function assertAdapterClass(kind: AdapterKind, name: string, candidate: unknown): void {
  if (!Object.hasOwn(BASES, kind)) {
    throw new IncorrectUsageError(
      `There is no adapter kind '${kind}' to register '${name}' as: use one of ${
        Object.keys(BASES).join(", ")
      }.`,
    );
  }
  if (isAdapterClass(kind, candidate)) return;
  throw new IncorrectUsageError(
    `The ${kind} adapter '${name}' must be a class that extends ${BASES[kind].name} of @protean/server.`,
  );
}

/**
 * Loads the class that `provider` names; relative paths are relative to `folder`. Without `#Name` it is the
 * default export, else the only class of that kind. Throws `ConfigurationError`.
 */
export async function loadAdapterClass<K extends AdapterKind>(
  kind: K,
  provider: string,
  folder: string,
): Promise<AdapterClass<K>> {
  const [path = "", name] = provider.split("#", 2);
  const file = path.startsWith("file:") ? fileURLToPath(path) : resolve(folder, path);
  let exported: Readonly<Record<string, unknown>>;
  try {
    exported = await importFromDisk(file);
  } catch (cause) {
    throw failure(kind, provider, asError(cause).message, cause);
  }
  const wanted = name === undefined ? exported.default : exported[name];
  if (isAdapterClass(kind, wanted)) return wanted;
  const classes = Object.values(exported).filter((candidate) => isAdapterClass(kind, candidate));
  const [only] = classes;
  if (name === undefined && only && classes.length === 1) return only;
  throw failure(
    kind,
    provider,
    `${
      name === undefined ? "the module has no single export" : `its export '${name}' is no class`
    } that extends ${BASES[kind].name}`,
  );
}

function failure(kind: AdapterKind, provider: string, reason: string, cause?: unknown): ConfigurationError {
  return new ConfigurationError(
    `The ${kind.replace("_", " ")} adapter '${provider}' cannot be loaded: ${reason}.`,
    { code: "CONFIG_UNKNOWN_ADAPTER", cause },
  );
}
