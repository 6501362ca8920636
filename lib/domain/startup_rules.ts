/**
 * What can be wrong with a configuration that is valid by itself: settings that are not served, and places
 * that the elements of the domain need. Each rule yields every violation; `init` reports them with all
 * others.
 *
 * @module
 */
import type { LoadedConfig } from "../config/load.ts";
import type { Diagnostic } from "../diagnostics.ts";
import type { Elements } from "./elements/elements.ts";

/** What ends the names of streams that are no lanes. */
const TAKEN_SUFFIXES: readonly string[] = ["command", "dlq", "replay"];

/** Every violation, in the order of the rules. */
export function* startupProblems(elements: Elements, config: LoadedConfig): Generator<Diagnostic> {
  yield* unserved(config);
  yield* missingPlaces(elements, config);
  yield* missingBrokers(elements, config);
  yield* laneName(config);
}

/** Settings that are known and valid, and that this server does not serve. */
function* unserved({ config }: LoadedConfig): Generator<Diagnostic> {
  if (config.databases.default?.managed === false) {
    yield {
      code: "CONFIG_NOT_SUPPORTED",
      key: "databases.default.managed",
      message:
        "'databases.default.managed' is false, but the outbox and the aggregates live in the database 'default': leave it out.",
    };
  }
}

/** A backfill lane whose stream would be one that is something else. */
function* laneName({ config: { server: { priority_lanes } } }: LoadedConfig): Generator<Diagnostic> {
  const { enabled, backfill_suffix: suffix } = priority_lanes;
  if (!enabled || /^[^\s:]+$/.test(suffix) && !TAKEN_SUFFIXES.includes(suffix)) return;
  yield {
    code: "CONFIG_INVALID_VALUE",
    key: "server.priority_lanes.backfill_suffix",
    message: `'server.priority_lanes.backfill_suffix' must be one word without ':', and none of ${
      TAKEN_SUFFIXES.join(", ")
    }, which streams have: current value is '${suffix}'.`,
  };
}

/** Subscribers to streams of brokers that are not configured. */
function* missingBrokers(
  { handlers }: Elements,
  { config: { brokers } }: LoadedConfig,
): Generator<Diagnostic> {
  for (const { name, broker } of handlers) {
    if (broker === undefined || Object.hasOwn(brokers, broker)) continue;
    yield {
      code: "CONFIG_MISSING_KEY",
      key: `brokers.${broker}`,
      message: `${name} reads from the broker '${broker}', which is not configured: add [brokers.${broker}].`,
    };
  }
}

/** Projections in databases and caches that are not configured. */
function* missingPlaces(
  { projections }: Elements,
  { config }: LoadedConfig,
): Generator<Diagnostic> {
  for (const { name, provider, cache } of projections) {
    const section = cache === undefined ? "databases" : "caches";
    const place = cache ?? provider;
    if (Object.hasOwn(config[section], place)) continue;
    yield {
      code: "CONFIG_MISSING_KEY",
      key: `${section}.${place}`,
      message:
        `Projection ${name} is kept in '${place}', which is not configured: add [${section}.${place}].`,
    };
  }
}
