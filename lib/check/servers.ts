/**
 * Asks the servers behind the adapters: whether they answer, and what they say of themselves.
 *
 * @module
 */
import { timeLimit } from "../async/abort.ts";
import { systemClock } from "../async/clock.ts";
import type { ServerFacts } from "../adapters/ports.ts";
import { asError, ConfigurationError } from "../errors.ts";
import { type Finding, problemFinding } from "./findings.ts";
import type { DomainSubject, SeenServer, SubjectAdapter } from "./subject.ts";

/** So long one server may take to answer everything that it is asked. */
const ANSWER_MS = 5000;

export interface Asked {
  /** Those that answered. */
  readonly servers: readonly SeenServer[];
  /** What the others said, or that they said nothing. */
  readonly unreachable: readonly Finding[];
}

/** Asks all of them at once; takes as long as the slowest, and five seconds at most. Rejects for none. */
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

/** Rejects as the adapter does, or when `signal` aborts. */
export async function factsOf(
  { adapter }: Pick<SubjectAdapter, "adapter">,
  signal: AbortSignal,
): Promise<ServerFacts | undefined> {
  return await adapter.serverFacts(signal);
}

async function ask(
  of: SubjectAdapter,
  loaded: DomainSubject["loaded"],
  signal: AbortSignal,
): Promise<{ readonly server?: SeenServer; readonly unreachable?: readonly Finding[] }> {
  const { kind, section, adapter, isOpen } = of;
  using limit = timeLimit(ANSWER_MS, systemClock, signal);
  try {
    if (!isOpen) await adapter.open(limit.signal);
    await adapter.ping(limit.signal);
    return { server: { kind, section, facts: await factsOf(of, limit.signal) } };
  } catch (thrown) {
    const error = asError(thrown);
    // What answers and refuses says why, under a code of its own.
    if (error instanceof ConfigurationError) {
      return { unreachable: error.problems.map((problem) => problemFinding({ key: section, ...problem })) };
    }
    const why = limit.signal.aborted
      ? `no answer within ${ANSWER_MS / 1000} seconds`
      : error.message.replace(/\.$/, "");
    const key = kind === "provider" || kind === "event_store" ? `${section}.database_uri` : `${section}.URI`;
    const { file, line } = loaded.origins.get(key) ?? {};
    return {
      unreachable: [{
        code: "DEPENDENCY_UNREACHABLE",
        level: "error",
        key,
        message: `'${section}' cannot be reached: ${why}.`,
        ...(file !== undefined && { file }),
        ...(line !== undefined && { line }),
      }],
    };
  }
}
