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

/** Every violation, in the order of the rules. */
export function* startupProblems(elements: Elements, config: LoadedConfig): Generator<Diagnostic> {
  yield* unserved(config);
  yield* missingPlaces(elements, config);
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
