/**
 * Where the messages of a running domain come from and go to, as its configuration says.
 *
 * @module
 */
import type { BaseBroker, BaseProvider } from "../adapters/ports.ts";
import { ConfigurationError } from "../errors.ts";
import type { DomainRuntime } from "./runtime.ts";

/** Name of the broker that the domain's own messages travel on. */
export const MAIN_BROKER = "default";

/** What a configuration and its adapters say of the way of messages. */
export type Places = Pick<DomainRuntime, "brokers" | "providers" | "config">;

/** Rows of one outbox on their way to one broker. */
export interface OutboxRoute {
  readonly provider: BaseProvider;
  readonly broker: BaseBroker;
  /** One of `[outbox] external_brokers`: another team's. */
  readonly external: boolean;
}

/**
 * What the subscriptions read from and what keeps their dead letters. Throws `ConfigurationError` where there
 * is none.
 */
export function subscriptionBroker({ brokers }: Pick<Places, "brokers">): BaseBroker {
  const broker = brokers.get(MAIN_BROKER);
  if (broker) return broker;
  throw new ConfigurationError(
    "No broker is called 'default': subscriptions read from it and it keeps their dead letters, so name one in [brokers.default].",
    { code: "CONFIG_NO_DEFAULT_BROKER" },
  );
}

/**
 * What a handler reads from: a subscriber says so itself, all others read the domain's own messages. Throws
 * `ConfigurationError` where there is none.
 */
export function brokerOf(
  places: Pick<Places, "brokers">,
  { name, broker = MAIN_BROKER }: { readonly name: string; readonly broker?: string },
): BaseBroker {
  if (broker === MAIN_BROKER) return subscriptionBroker(places);
  const found = places.brokers.get(broker);
  if (found) return found;
  throw new ConfigurationError(
    `${name} reads from the broker '${broker}', which is not configured: add [brokers.${broker}].`,
    { code: "CONFIG_MISSING_KEY" },
  );
}

/** Databases whose tables are ours: those without `managed = false` (wire 6.5). */
export function managedProviders(
  { providers, config }: Pick<Places, "providers" | "config">,
): readonly BaseProvider[] {
  const { databases } = config.config;
  return [...providers.values()].filter(({ name }) => databases[name]?.managed !== false);
}

/**
 * Every outbox to every broker that it publishes to. Throws `ConfigurationError` for a broker that is not
 * configured.
 */
export function outboxRoutes(places: Places): readonly OutboxRoute[] {
  const { broker: own, external_brokers } = places.config.config.outbox;
  const targets = [own, ...external_brokers].map((name) => {
    const broker = places.brokers.get(name);
    if (broker) return { broker, external: name !== own };
    throw new ConfigurationError(`[outbox] names the broker '${name}', which is not in [brokers].`, {
      code: "CONFIG_INVALID_VALUE",
    });
  });
  return managedProviders(places).flatMap((provider) => targets.map((target) => ({ provider, ...target })));
}
