/**
 * The look before the start. What answers and is wrong (a refused password, a table that is not ours, a key
 * of another type) ends the start with a sentence for each fault, for no waiting mends it; what does not
 * answer is waited for in the background (HLT-3), unless it was required.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { BaseBroker, BaseProvider, TableSpec } from "../adapters/ports.ts";
import { type Clock, sleep } from "../async/clock.ts";
import { asError, ConfigurationError, UnavailableError } from "../errors.ts";
import type { ComponentFault } from "../health/types.ts";
import { deadLetterStream } from "../message/names.ts";
import { tellLeftGroups, type UnreadGroup } from "./left_groups.ts";

const log = getLogger(["protean", "engine"]);

/** Whoever has just answered a ping answers this in time, or is left to the background. */
const LOOK_MS = 2000;
/** Code of the error for a table that `db setup` would create. */
const TABLE_MISSING = "DATABASE_TABLE_MISSING";
/** Code of the error for a table that is not ours. */
const TABLE_DIFFERENT = "DATABASE_TABLE_DIFFERS";

export interface PreflightParts {
  /** Asks every component for a sign of life; returns those that gave none. */
  readonly check: () => Promise<readonly ComponentFault[]>;
  /** Databases whose tables are ours. */
  readonly providers: readonly BaseProvider[];
  /** By provider. */
  readonly tables: ReadonlyMap<string, readonly TableSpec[]>;
  /** What is subscribed to. */
  readonly streams: Iterable<{ readonly broker: BaseBroker; readonly category: string }>;
  /** Groups that may be left on their streams. @default none */
  readonly unread?: Iterable<UnreadGroup>;
  /** Tells what else is to be known of those that answer; never rejects. @default nothing */
  readonly notes?: () => Promise<void>;
  /** With `--require-dependencies` nothing is waited for. */
  readonly required: boolean;
  readonly clock: Clock;
}

/**
 * Throws `ConfigurationError` for what is wrong, all of it at once, and `UnavailableError` for what is
 * required and away. What has not answered by the end of the look is left to the background: returns what
 * resolves, and never rejects, when it has.
 */
export async function preflight(parts: PreflightParts): Promise<{ readonly ended: Promise<void> }> {
  const missing = await parts.check();
  const away = (kind: ComponentFault["kind"], name: string) =>
    missing.some((component) => component.kind === kind && component.name === name);
  const faults: Error[] = missing.flatMap(({ error }) => error ?? []);
  const looks = parts.providers.filter(({ name }) => !away("provider", name))
    .map((provider) => lookAtDatabase(provider, parts));
  for (const [broker, streams] of Map.groupBy(parts.streams, ({ broker }) => broker)) {
    if (away("broker", broker.name)) continue;
    looks.push(lookAtStreams(broker, streams.map(({ category }) => category)));
  }
  for (const [broker, groups] of Map.groupBy(parts.unread ?? [], ({ broker }) => broker)) {
    if (!away("broker", broker.name)) looks.push(tellLeftGroups(broker, groups).then(() => []));
  }
  if (parts.notes) looks.push(parts.notes().then(() => []));
  const all = Promise.all(looks).then((found) => found.flat());
  const found = await within(parts.clock, all);
  faults.push(...found ?? []);
  const wrong = faults.filter((fault) => fault instanceof ConfigurationError);
  if (wrong.length > 0) throw together(wrong);
  if (parts.required && missing.length > 0) throw absent(missing);
  return { ended: found ? Promise.resolve() : all.then(tellLate) };
}

/** It is too late to end the start for it: the work will meet it, and wait. */
function tellLate(faults: readonly Error[]): void {
  for (const { message } of faults) log.error("engine.start_check_failed", { error: message });
}

/** The tables of the server itself are made where they are missing, those of the domain are `db setup`'s. */
async function lookAtDatabase(provider: BaseProvider, { tables }: PreflightParts): Promise<Error[]> {
  const specs = tables.get(provider.name) ?? [];
  const own = (judged: readonly TableSpec[]) => async () => {
    await provider.setup("own", judged);
    await provider.verify();
  };
  let faults = await failures([own(specs)]);
  if (faults.length > 0 && specs.length > 0) {
    const ofServer = await failures([own([])]);
    // It is about the version of a table of the domain. What else is wrong with one is told by reading it.
    if (ofServer.length === 0 && !faults.some(isTableDifferent)) return faults;
    faults = ofServer;
  }
  const rows = specs.map(({ name }) => async () => {
    const session = provider.session();
    try {
      await session.load(name, "");
    } finally {
      await session.rollback();
    }
  });
  const found = await failures(rows);
  const [missing] = found.filter(isTableMissing);
  if (missing) log.warn("engine.table_missing", { provider: provider.name, error: missing.message });
  return [...faults, ...found.filter((fault) => !isTableMissing(fault))];
}

function isTableMissing(fault: Error): boolean {
  return fault instanceof ConfigurationError && fault.code === TABLE_MISSING;
}

function isTableDifferent(fault: Error): boolean {
  return fault instanceof ConfigurationError && fault.code === TABLE_DIFFERENT;
}

async function lookAtStreams(broker: BaseBroker, categories: readonly string[]): Promise<Error[]> {
  const streams = [...new Set(categories)].flatMap((category) => [category, deadLetterStream(category)]);
  const faults = await failures(streams.map((stream) => () => broker.length(stream)));
  return faults;
}

async function failures(works: readonly (() => Promise<unknown>)[]): Promise<Error[]> {
  const found: Error[] = [];
  for (const work of works) await work().catch((error) => found.push(asError(error)));
  return found;
}

/** Undefined: they have not ended in time. */
async function within<T>(clock: Clock, looks: Promise<T>): Promise<T | undefined> {
  const over = new AbortController();
  const found = await Promise.race([looks, sleep(clock, LOOK_MS, over.signal).then(() => undefined)]);
  over.abort();
  return found;
}

function together(wrong: readonly ConfigurationError[]): ConfigurationError {
  const unique = [...new Map(wrong.map((fault) => [fault.message, fault])).values()];
  const [first] = unique;
  if (first && unique.length === 1) return first;
  return new ConfigurationError(unique.map(({ message }) => message).join("\n"), {
    problems: unique.flatMap(({ problems }) => problems),
    cause: first,
  });
}

function absent(missing: readonly ComponentFault[]): UnavailableError {
  const reasons = missing.map(({ kind, name, error }) =>
    `${kind.replace("_", " ")} '${name}': ${error?.message.replace(/\.$/, "") ?? "no answer"}`
  );
  return new UnavailableError(
    `The server was told to require its dependencies, and these do not answer: ${reasons.join("; ")}.`,
  );
}
