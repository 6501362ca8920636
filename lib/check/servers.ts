/**
 * Asks the servers behind the adapters: whether they answer, and what they say of themselves.
 *
 * @module
 */
import { deadline } from "../async/abort.ts";
import { systemClock } from "../async/clock.ts";
import { asError, ConfigurationError } from "../errors.ts";
import { valueAt } from "../config/tree.ts";
import { type Finding, problemFinding } from "./findings.ts";
import { placeInSection } from "./section_place.ts";
import type { DomainSubject, SeenServer, SubjectAdapter } from "./subject.ts";

/** So long one server may take to answer everything that it is asked. */
const ANSWER_MS = 5000;
/** And so long its `password_command` may take before that, as at every start. */
const COMMAND_MS = 10_000;

export interface Asked {
  /** Those that answered. */
  readonly servers: readonly SeenServer[];
  /** What the others said, or that they said nothing. */
  readonly unreachable: readonly Finding[];
}

/**
 * Asks all of them at once; takes as long as the slowest, and five seconds at most, ten more where a program has
 * to be asked for a password. Rejects for none.
 */
export async function askServers(
  { adapters, loaded }: Pick<DomainSubject, "adapters" | "loaded">,
  signal: AbortSignal = new AbortController().signal,
): Promise<Asked> {
  const asked = await Promise.all(
    adapters.filter(({ isRemote }) => isRemote).map((of) => ask(of, loaded, signal)),
  );
  return {
    servers: asked.flatMap(({ server }) => server ?? []),
    unreachable: asked.flatMap(({ unreachable }) => unreachable ?? []),
  };
}

async function ask(
  of: SubjectAdapter,
  loaded: DomainSubject["loaded"],
  signal: AbortSignal,
): Promise<{ readonly server?: SeenServer; readonly unreachable?: readonly Finding[] }> {
  const { kind, section, adapter, isOpen } = of;
  // One of somebody's own may not listen to the signal.
  const work = async (limit: AbortSignal) => {
    if (!isOpen) await adapter.open(limit);
    await adapter.ping(limit);
    return { server: { kind, section, facts: await adapter.serverFacts(limit) } };
  };
  try {
    const hasCommand = valueAt(loaded.config, [...section.split("."), "password_command"]) !== undefined;
    return await deadline(work, hasCommand ? COMMAND_MS + ANSWER_MS : ANSWER_MS, systemClock, signal);
  } catch (thrown) {
    const error = asError(thrown);
    // What answers and refuses says why, under a code of its own.
    if (error instanceof ConfigurationError) {
      const told = error.problems.map((problem) =>
        problemFinding({ key: section, ...placeInSection(loaded, section, problem.key), ...problem })
      );
      return { unreachable: told };
    }
    const key = kind === "provider" || kind === "event_store" ? `${section}.database_uri` : `${section}.URI`;
    const message = `'${section}' cannot be reached: ${error.message.replace(/\.$/, "")}.`;
    const place = placeInSection(loaded, section, key);
    return { unreachable: [{ code: "DEPENDENCY_UNREACHABLE", level: "error", key, message, ...place }] };
  }
}
