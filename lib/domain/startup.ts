/**
 * `domain.init`: elements judged, configuration loaded, adapters opened, handlers ready.
 *
 * @module
 */
import type { AdapterRegistry } from "../adapters/registry.ts";
import type { TableSpec } from "../adapters/ports.ts";
import { type Clock, systemClock } from "../async/clock.ts";
import { loadConfig, type LoadedConfig } from "../config/load.ts";
import { configurationError } from "../config/problems.ts";
import { ConfigurationError, type ConfigurationProblem, IncorrectUsageError } from "../errors.ts";
import { openAdapters } from "./adapters.ts";
import { MAIN } from "./work/commit.ts";
import { elementProblems } from "./elements/element_problems.ts";
import type { InitOptions } from "./options.ts";
import { startupProblems } from "./startup_rules.ts";
import type { Elements } from "./elements/elements.ts";
import type { DomainIdentity } from "./elements/identity.ts";
import { buildModel, type Model } from "./elements/model.ts";
import { partitionFields } from "./elements/partitioning.ts";
import { ElementRunner } from "./handlers/runner.ts";
import { SubscriberRunner } from "./handlers/subscriber_runner.ts";
import { Crowd } from "../async/crowd.ts";
import { SyncEvents } from "./handlers/sync_events.ts";
import { KINDS } from "./kinds.ts";
import { openTelemetry } from "./telemetry.ts";
import { harmless, type Observer, UNOBSERVED } from "./observer.ts";
import type { Adapters, DomainRuntime, RuntimeFacts } from "./runtime.ts";

/** What the engine, the command line and the testing harness may say beyond the public options. */
export interface StartOptions extends InitOptions {
  /** @default the machine's own */
  clock?: Clock;
  /** @default nobody is told */
  observer?: Observer;
  /** False: nothing is measured, whatever the configuration says; for commands. @default true */
  telemetry?: boolean;
  /** The configuration, where the caller has loaded it; `config` and `env` are not looked at then. */
  loaded?: LoadedConfig;
  /** False: tables are left as they are, for the commands that look at them first. @default true */
  migrate?: boolean;
}

/** What is published to a broker without partitions is written to whole categories. */
const NOT_PARTED: RuntimeFacts["partitionFields"] = new Map();

/** A domain that was started, and the handlers of its commands. */
export interface Started {
  readonly runtime: DomainRuntime;
  /** By type string of the command. */
  readonly commandHandlers: ReadonlyMap<string, ElementRunner>;
}

/**
 * Starts a domain. Throws one `ConfigurationError` that lists every problem of its elements and its
 * configuration; no adapter is open then.
 */
export async function start(
  identity: DomainIdentity,
  elements: Elements,
  registry: AdapterRegistry,
  closing: AbortSignal,
  options: StartOptions,
): Promise<Started> {
  const { signal, clock = systemClock, migrate = true } = options;
  signal?.throwIfAborted();
  const model = buildModel(identity, elements);
  const problems = [...elementProblems(elements, model)];
  const config = await configuration(identity, elements, options, problems);
  if (!config || problems.length > 0) throw configurationError(problems);

  const { name, normalizedName } = identity;
  const telemetry = options.telemetry === false
    ? undefined
    : await openTelemetry({ normalizedName, config, clock });
  const facts: RuntimeFacts = {
    ...{ name, normalizedName, identity, config, clock, telemetry },
    observer: harmless(options.observer ?? telemetry?.observer ?? UNOBSERVED),
    dlqAlertListeners: elements.dlqAlertListeners,
    checks: elements.checks,
    partitionFields: partitionFields(model),
  };
  const tables = tablesOf(elements);
  let adapters: Adapters;
  try {
    adapters = await openAdapters(registry, facts, tables, { signal, migrate });
  } catch (error) {
    await telemetry?.close();
    throw error;
  }
  const sync = config.config.event_processing === "sync" ? new SyncEvents(config) : undefined;
  const parts = adapters.brokers.get(config.config.outbox.broker)?.partitions !== undefined;
  const work = {
    ...{ ...facts, ...adapters, appendsInside: appendsInside(adapters), closing },
    crowd: new Crowd(),
    partitionFields: parts ? facts.partitionFields : NOT_PARTED,
    ...(sync && { handleEvents: sync.handle.bind(sync) }),
  };
  const runners = model.handlers.map((handler) => {
    const isRaw = KINDS[handler.definition.kind].messages === "raw";
    return new (isRaw ? SubscriberRunner : ElementRunner)(work, model, handler);
  });
  sync?.attach(runners.filter(({ kind }) => KINDS[kind].messages !== "raw"));
  const own = elements.messages.filter(({ aggregate }) => aggregate !== undefined);
  const runtime: DomainRuntime = {
    ...work,
    runners,
    tables,
    messageNames: own.map((message) => message.name).sort(),
    messageType: (wanted) => own.find((message) => message.name === wanted || message.typeString === wanted),
    bind(runner, settings) {
      if (runner instanceof ElementRunner) return runner.bind(settings);
      throw new IncorrectUsageError(`${runner.name} is not a handler of the domain '${name}'.`);
    },
  };
  return { runtime, commandHandlers: commandHandlersOf(model, runners) };
}

/** Loads the configuration and adds what is wrong with it, or between it and the elements, to `problems`. */
async function configuration(
  { name }: DomainIdentity,
  elements: Elements,
  { loaded, config, env }: StartOptions,
  problems: ConfigurationProblem[],
): Promise<LoadedConfig | undefined> {
  try {
    const result = loaded ?? await loadConfig({
      domain: name,
      ...config === undefined ? {} : { config },
      ...env === undefined ? {} : { env },
    });
    problems.push(...startupProblems(elements, result));
    return result;
  } catch (error) {
    if (!(error instanceof ConfigurationError) || problems.length === 0) throw error;
    problems.push(...error.problems);
    return undefined;
  }
}

function appendsInside({ eventStore, providers }: Adapters): boolean {
  const main = providers.get(MAIN);
  return main !== undefined && eventStore?.sharesTransactionWith(main) === true;
}

function tablesOf({ aggregates, projections }: Elements): ReadonlyMap<string, readonly TableSpec[]> {
  const tables = new Map<string, TableSpec[]>();
  const add = (provider: string, table: TableSpec) =>
    void tables.set(provider, [...tables.get(provider) ?? [], table]);
  for (const { table } of aggregates) add(MAIN, { kind: "aggregate", name: table });
  for (const { table, provider, cache } of projections) {
    if (cache === undefined) add(provider, { kind: "view", name: table });
  }
  return tables;
}

function commandHandlersOf(
  model: Model,
  runners: readonly ElementRunner[],
): ReadonlyMap<string, ElementRunner> {
  return new Map(model.handlers.flatMap(({ definition }, index) => {
    const runner = runners[index];
    if (!runner || KINDS[definition.kind].messages !== "command") return [];
    return definition.options.handles.map(({ type }) => [type, runner] as const);
  }));
}
