/**
 * A domain and its configuration, put together for the rules without starting anything: adapters are
 * constructed, so that each judges its own settings, and none is connected.
 *
 * @module
 */
import type { AdapterKind, BaseAdapter, ConnectionNeed } from "../adapters/ports.ts";
import { systemClock } from "../async/clock.ts";
import type { LoadedConfig } from "../config/loaded.ts";
import type { Diagnostic } from "../diagnostics.ts";
import { createAdapter } from "../domain/adapters.ts";
import { closeOne } from "../domain/closing.ts";
import type { Domain } from "../domain/domain.ts";
import { elementProblems } from "../domain/elements/element_problems.ts";
import { buildModel, type Model } from "../domain/elements/model.ts";
import { type Declared, declaredOf } from "../domain/inspection.ts";
import { MAIN_BROKER } from "../domain/places.ts";
import { startupProblems } from "../domain/startup_rules.ts";
import { asError, ConfigurationError, ProteanError } from "../errors.ts";
import { onceEach, planSettings } from "./plan.ts";
import { placeInSection } from "./section_place.ts";
import type { DomainSubject, Scale, SubjectAdapter, SubjectHandler } from "./subject.ts";

export interface Inspection {
  readonly subject: DomainSubject;
  /** What would end a start, in the elements and in what they need of the configuration. */
  readonly problems: readonly Diagnostic[];
  /** What would end a start, in the settings of adapters: the configuration cannot work, whatever the domain. */
  readonly broken: readonly Diagnostic[];
  /** Closes what was constructed. */
  close(): Promise<void>;
}

/** Puts a domain and its configuration together. Rejects for nothing that is wrong with either. */
export async function inspect(domain: Domain, loaded: LoadedConfig, scale: Scale): Promise<Inspection> {
  const declared = declaredOf(domain);
  const { identity, elements } = declared;
  const model = buildModel(identity, elements);
  const handlers = handlersOf(model);
  const { adapters, broken } = await constructed(declared, loaded);
  const brokers = new Map(
    adapters.filter(({ kind }) => kind === "broker").map((one) => [one.adapter.name, one]),
  );
  const { planned, problems } = planSettings(loaded, handlers, ({ broker = MAIN_BROKER }) => ({
    name: broker,
    // Of one that is not there it is not known, and that is told anyway.
    partitions: partitionsOf(brokers.get(broker)?.adapter) ?? (brokers.has(broker) ? undefined : {}),
  }));
  return {
    subject: {
      ...{
        domain: domain.name,
        loaded,
        handlers,
        subscriptions: planned,
        identity,
        elements,
        model,
        adapters,
        scale,
      },
      messages: elements.messages.filter(({ aggregate }) => aggregate !== undefined)
        // As the runtime has them.
        .sort((a, b) => a.name < b.name ? -1 : 1),
    },
    problems: onceEach([
      ...elementProblems(elements, model),
      ...startupProblems(elements, loaded),
      ...problems,
    ]),
    broken,
    // One that does not close is told when it matters.
    close: async () => void await Promise.all(adapters.map(({ adapter }) => closeOne(adapter, systemClock))),
  };
}

/** What is wrong with the elements alone, for when there is no configuration to hold them against. */
export function declaredProblems(domain: Domain): readonly Diagnostic[] {
  const { identity, elements } = declaredOf(domain);
  return elementProblems(elements, buildModel(identity, elements));
}

function handlersOf({ handlers }: Model): readonly SubjectHandler[] {
  return handlers.map(({ definition: { name, kind, options, broker }, group, categories }) => ({
    ...{ name, kind, options, group, categories },
    sharedGroup: options.consumerGroup !== undefined,
    ...(broker !== undefined && { broker }),
  }));
}

function partitionsOf(broker: BaseAdapter | undefined): object | undefined {
  return broker && "partitions" in broker ? broker.partitions as object | undefined : undefined;
}

type Section = Parameters<typeof createAdapter>[4];

async function constructed(
  { identity: { normalizedName }, registry }: Declared,
  loaded: LoadedConfig,
): Promise<{ readonly adapters: readonly SubjectAdapter[]; readonly broken: readonly Diagnostic[] }> {
  const { databases, brokers, caches, event_store } = loaded.config;
  const sections: readonly (readonly [AdapterKind, string, string, Section])[] = [
    ...Object.entries(databases).map(([name, table]) =>
      ["provider", `databases.${name}`, name, table] as const
    ),
    ...Object.entries(brokers).map(([name, table]) => ["broker", `brokers.${name}`, name, table] as const),
    ...Object.entries(caches).map(([name, table]) => ["cache", `caches.${name}`, name, table] as const),
    ...event_store ? [["event_store", "event_store", "default", event_store] as const] : [],
  ];
  const adapters: SubjectAdapter[] = [];
  const broken: Diagnostic[] = [];
  for (const [kind, section, name, table] of sections) {
    try {
      const facts = { normalizedName, clock: systemClock, config: loaded, migrate: false };
      const adapter = await createAdapter(registry, facts, kind, name, table);
      try {
        assertNeed(kind, table.provider, adapter);
      } catch (wrong) {
        await closeOne(adapter, systemClock);
        throw wrong;
      }
      const isBuiltIn = registry.isBuiltIn(kind, table.provider);
      const isOpen = isBuiltIn && REMOTE.includes(table.provider);
      // It reads the files of certificates and connects to nothing; an embedded one would make its file.
      if (isOpen) await adapter.open();
      adapters.push({ kind, section, adapter, isOpen, isRemote: isOpen || !isBuiltIn });
    } catch (thrown) {
      broken.push(
        ...problemsOf(asError(thrown)).map((problem) => ({
          key: section,
          ...placeInSection(loaded, section, problem.key),
          ...problem,
        })),
      );
    }
  }
  return { adapters, broken: onceEach(broken) };
}

/** Throws `ConfigurationError` for an adapter of somebody's own that does not tell its need as the port says. */
function assertNeed(kind: AdapterKind, provider: string, adapter: BaseAdapter): void {
  const place = `The ${kind.replace("_", " ")} adapter '${provider}' ('${adapter.name}')`;
  let need: unknown;
  try {
    need = adapter.connectionNeed({ outboxProcessors: 0 });
  } catch (cause) {
    // One of ours judges its settings there, and says what is wrong with them.
    if (cause instanceof ConfigurationError) throw cause;
    throw new ConfigurationError(
      `${place} does not tell what it needs: its connectionNeed() has thrown (${asError(cause).message}).`,
      { code: "ADAPTER_FAILED", cause },
    );
  }
  if (need === undefined || isNeed(need)) return;
  throw new ConfigurationError(
    `${place} does not tell what it needs: its connectionNeed() must return undefined, or server, pool, ` +
      "overflow and beside.",
    { code: "ADAPTER_FAILED" },
  );
}

function isNeed(value: unknown): value is ConnectionNeed {
  if (typeof value !== "object" || value === null) return false;
  const { server, pool, overflow, beside } = value as Partial<Record<keyof ConnectionNeed, unknown>>;
  return typeof server === "string" && isCount(pool) && isCount(overflow) && Array.isArray(beside) &&
    beside.every((one: unknown) =>
      typeof one === "object" && one !== null && "count" in one && isCount(one.count)
    );
}

function isCount(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

const REMOTE: readonly string[] = ["postgresql", "redis"];

function problemsOf(error: Error): readonly Diagnostic[] {
  if (error instanceof ConfigurationError) return error.problems;
  return [{ code: error instanceof ProteanError ? error.code : "UNEXPECTED", message: error.message }];
}
