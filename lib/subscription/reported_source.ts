/**
 * A source that tells how the work with it goes: counting a start and dead-lettering may each be refused
 * while reading goes on (D8). Both are asked again within seconds for as long as they fail.
 *
 * @module
 */
import { reporting, type WorkReporter } from "../status/work_health.ts";
import type { Source } from "./source.ts";

/** The same source. `reporter` makes one for each kind of work, so that none hides another. */
export function reportedSource(source: Source, reporter: () => WorkReporter): Source {
  const [attempts, deadLetters] = [reporter(), reporter()] as const;
  return {
    name: source.name,
    origin: source.origin,
    group: source.group,
    attempt: (id) => reporting(attempts, source.attempt(id)),
    refresh: (ids) => source.refresh(ids),
    confirm: (ids) => source.confirm(ids),
    reject: (id, text) => reporting(deadLetters, source.reject(id, text)),
    handOver: (id) => source.handOver(id),
    release: (unfinished, known) => source.release(unfinished, known),
    retire: () => source.retire(),
    close: () => source.close(),
  };
}
