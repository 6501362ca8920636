/**
 * What the server's own start tells, each once: settings that work, and most likely not as meant. The rules
 * are those of `check`.
 *
 * @module
 */
import type { AdapterKind, BaseAdapter } from "../adapters/ports.ts";
import type { Diagnostic } from "../diagnostics.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { rulesOf } from "./catalogue.ts";
import { type Finding, finding } from "./findings.ts";
import { factsOf } from "./servers.ts";
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

/** Warnings about the servers of a domain that has started. Never rejects: who does not answer is told elsewhere. */
export async function serverFindings(
  runtime: DomainRuntime,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const subject = subjectOf(runtime, []);
  const found = await Promise.all(
    adaptersOf(runtime).map(async (of) => {
      const facts = await factsOf(of, signal).catch(() => undefined);
      return rulesOf("server").flatMap((rule) =>
        [...rule.find({ kind: of.kind, section: of.section, facts }, subject)].map((one) =>
          finding(rule, one)
        )
      );
    }),
  );
  return found.flat();
}

function adaptersOf({ providers, brokers, caches }: DomainRuntime): readonly SubjectAdapter[] {
  const of = (kind: AdapterKind, table: string) => (adapter: BaseAdapter): SubjectAdapter => ({
    ...{ kind, adapter, section: `${table}.${adapter.name}`, isRemote: true, isOpen: true },
  });
  // All of them are open; who is not remote has nothing to tell.
  return [
    ...[...providers.values()].map(of("provider", "databases")),
    ...[...brokers.values()].map(of("broker", "brokers")),
    ...[...caches.values()].map(of("cache", "caches")),
  ];
}

/** The name of the log's event for a finding: `config.no_effect`, `check.low_pool_size`. */
export function eventName({ code }: Diagnostic): string {
  const name = code.toLowerCase();
  return name.startsWith("config_") ? name.replace("_", ".") : `check.${name}`;
}
