/**
 * Servers that are asked for more connections than they have: what the rules about each kind of server find.
 *
 * @module
 */
import { placeOf } from "../diagnostics.ts";
import { type ConnectionSum, connectionSums } from "./connections.ts";
import type { Found } from "./rule.ts";
import type { DomainSubject } from "./subject.ts";

/** One finding for each such server of the kind, at `key` of the first section that uses it. */
export function* exceeded(
  subject: DomainSubject,
  kind: ConnectionSum["kind"],
  key: string,
): Generator<Found> {
  for (const { total, limit, limitFrom, arithmetic, sections, ...sum } of connectionSums(subject)) {
    if (sum.kind !== kind || limit === undefined || total <= limit) continue;
    const first = `${sections[0]}.${key}`;
    const named = sections.map((section) => `'${section}'`).join(" and ");
    yield {
      key: first,
      message: `${named} may open ${arithmetic}: more than ${limit} (${limitFrom}).`,
      ...placeOf(subject.loaded.origins.get(first)),
    };
  }
}
