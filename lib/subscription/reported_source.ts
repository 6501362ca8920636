/**
 * A source that tells how the work with it goes: counting a start, handing over, dead-lettering and fetching
 * by id may each be refused while reading goes on (D8). They are asked again within seconds for as long as they
 * fail.
 *
 * @module
 */
import { reporting, unheard, type WorkReporter } from "../status/work_health.ts";
import type { Source } from "./source.ts";

/** The same source. `reporter` makes one for each kind of work, so that none hides another. */
export function reportedSource(source: Source, reporter: () => WorkReporter = () => unheard): Source {
  const [attempts, handOvers, deadLetters, texts] = [reporter(), reporter(), reporter(), reporter()] as const;
  const fetch = source.fetch?.bind(source);
  const postpone = source.postpone?.bind(source);
  const forgetPostponed = source.forgetPostponed?.bind(source);
  return {
    ...(postpone && { postpone }),
    ...(forgetPostponed && { forgetPostponed }),
    ...(fetch && { fetch: (ids, maxBytes) => reporting(texts, fetch(ids, maxBytes)) }),
    name: source.name,
    origin: source.origin,
    group: source.group,
    attempt: (id) => reporting(attempts, source.attempt(id)),
    refresh: (ids) => source.refresh(ids),
    confirm: (ids) => source.confirm(ids),
    reject: (id, text) => reporting(deadLetters, source.reject(id, text)),
    handOver: (id) => reporting(handOvers, source.handOver(id)),
    release: (entries) => source.release(entries),
    releaseUnknown: (known) => source.releaseUnknown(known),
    retire: () => source.retire(),
    close: () => source.close(),
  };
}
