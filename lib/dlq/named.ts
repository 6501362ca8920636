/**
 * Which subscription an operator means: by its handler, its consumer group or its stream category.
 *
 * @module
 */
import { ProteanError } from "../errors.ts";

/** What a handler reads. */
export interface SubscriptionPlace {
  readonly handler: string;
  readonly group: string;
  /** The stream category. */
  readonly category: string;
}

/** Those of `all` that are meant; undefined: all. Throws where the name is none of theirs. */
export function named<P extends SubscriptionPlace>(
  all: readonly P[],
  subscription: string | undefined,
): readonly P[] {
  if (subscription === undefined) return all;
  const wanted = all.filter(({ handler, group, category }) =>
    [handler, group, category].includes(subscription)
  );
  if (wanted.length > 0) return wanted;
  const handlers = [...new Set(all.map(({ handler }) => handler))].join(", ");
  throw new ProteanError(
    `No subscription of this domain is called '${subscription}': name a handler (${handlers}), its group or its ` +
      "stream category.",
    { code: "SUBSCRIPTION_UNKNOWN" },
  );
}

/** `OrderEventHandler on shop::order, …`. */
export function placeNames(places: readonly SubscriptionPlace[]): string {
  return places.map(({ handler, category }) => `${handler} on ${category}`).join(", ");
}
