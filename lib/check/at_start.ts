/**
 * What the server's own start tells, each once: settings that work, and most likely not as meant. The rules
 * are those of `check`.
 *
 * @module
 */
import type { AdapterKind, BaseAdapter } from "../adapters/ports.ts";
import { deadline } from "../async/abort.ts";
import type { Diagnostic } from "../diagnostics.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { rulesOf } from "./catalogue.ts";
import { type Finding, finding } from "./findings.ts";
import type { Subject, SubjectAdapter, SubjectSubscription } from "./subject.ts";

function subjectOf(runtime: DomainRuntime, subscriptions: readonly SubjectSubscription[]): Subject {
  return {
    ...{ domain: runtime.name, loaded: runtime.config, handlers: runtime.runners, subscriptions },
    messages: runtime.messageNames.flatMap((name) => runtime.messageType(name) ?? []),
  };
}

/** Warnings and notes about a domain and the subscriptions that are planned for it. */
export function* startFindings(
  runtime: DomainRuntime,
  subscriptions: readonly SubjectSubscription[],
): Generator<Finding> {
  const subject = subjectOf(runtime, subscriptions);
  for (const rule of rulesOf("start")) {
    for (const found of rule.find(subject)) yield finding(rule, found);
  }
}

/** So long one server may take: readiness waits for it. */
const ANSWER_MS = 2000;

/**
 * Warnings about the servers of a domain that has started, within two seconds. Never rejects: who does not
 * answer is told elsewhere. Databases are not asked: no rule is about what they say of themselves.
 */
export async function serverFindings(
  runtime: DomainRuntime,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const subject = subjectOf(runtime, []);
  const found = await Promise.all(
    adaptersOf(runtime).map(async ({ kind, section, adapter }) => {
      const ask = async (limit: AbortSignal) => await adapter.serverFacts(limit);
      const facts = await deadline(ask, ANSWER_MS, runtime.clock, signal).catch(() => undefined);
      return rulesOf("server").flatMap((rule) =>
        [...rule.find({ kind, section, facts }, subject)].map((one) => finding(rule, one))
      );
    }),
  );
  return found.flat();
}

function adaptersOf(
  { brokers, caches }: DomainRuntime,
): readonly Omit<SubjectAdapter, "isRemote" | "isOpen">[] {
  const of = (kind: AdapterKind, table: string) => (adapter: BaseAdapter) => ({
    ...{ kind, adapter, section: `${table}.${adapter.name}` },
  });
  return [
    ...[...brokers.values()].map(of("broker", "brokers")),
    ...[...caches.values()].map(of("cache", "caches")),
  ];
}

/** The name of the log's event for a finding: `config.no_effect`, `check.low_pool_size`. */
export function eventName({ code }: Diagnostic): string {
  const name = code.toLowerCase();
  return name.startsWith("config_") ? name.replace("_", ".") : `check.${name}`;
}
