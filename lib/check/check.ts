/**
 * `check`: every rule over one domain and its configuration (CFG-2, CFG-3).
 *
 * @module
 */
import type { LoadedConfig } from "../config/loaded.ts";
import { endingWithHint } from "../config/nearest.ts";
import { type Diagnostic, placeOf } from "../diagnostics.ts";
import type { Domain } from "../domain/domain.ts";
import { ruleOf, RULES, rulesOf } from "./catalogue.ts";
import { type ConnectionSum, connectionSums } from "./connections.ts";
import { type Finding, finding, problemFinding, sorted, unsuppressed } from "./findings.ts";
import { inspect } from "./inspect.ts";
import type { Workload } from "./manifest/workload.ts";
import { askServers } from "./servers.ts";
import type { DomainSubject, Scale, SeenServer } from "./subject.ts";

export interface CheckOptions {
  readonly scale: Scale;
  /** Ask the servers as well. @default false */
  readonly connect?: boolean;
  /** What is deployed, of a manifest. @default none */
  readonly workloads?: readonly Workload[];
  readonly signal?: AbortSignal;
}

export interface Checked {
  readonly domain: string;
  /** Sorted by code; what `[lint] suppressions` names is left out. */
  readonly findings: readonly Finding[];
  /** What the servers that answered have told; undefined: nobody has asked them. */
  readonly servers: readonly SeenServer[] | undefined;
  /** The guide's arithmetic, server by server. */
  readonly connections: readonly ConnectionSum[];
  /** The configuration cannot work, whatever the domain: exit 2. */
  readonly isBroken: boolean;
}

/** Runs every rule. Rejects for nothing that is wrong with the domain, its configuration or its servers. */
export async function check(domain: Domain, loaded: LoadedConfig, options: CheckOptions): Promise<Checked> {
  const { scale, connect = false, workloads = [], signal } = options;
  const inspection = await inspect(domain, loaded, scale);
  try {
    const { problems, broken } = inspection;
    const asked = connect ? await askServers(inspection.subject, signal) : undefined;
    const subject: DomainSubject = { ...inspection.subject, ...(asked && { servers: asked.servers }) };
    const findings = [
      ...[...problems, ...broken].map(problemFinding),
      ...loaded.warnings.map((warning: Diagnostic) => problemFinding({ level: "warning", ...warning })),
      ...asked?.unreachable ?? [],
      ...unknownSuppressions(loaded),
      ...await offline(subject),
      ...(asked?.servers ?? []).flatMap((server) =>
        rulesOf("server").flatMap((rule) =>
          [...rule.find(server, subject)].map((found) => finding(rule, found))
        )
      ),
      ...workloads.flatMap((workload) =>
        rulesOf("manifest").flatMap((rule) =>
          [...rule.find(workload, subject)].map((found) => finding(rule, found))
        )
      ),
    ];
    return {
      domain: domain.name,
      findings: unsuppressed(sorted(findings), loaded.config.lint.suppressions),
      servers: asked?.servers,
      connections: connectionSums(subject),
      isBroken: broken.length > 0,
    };
  } finally {
    await inspection.close();
  }
}

async function offline(subject: DomainSubject): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const rule of rulesOf("start")) {
    for (const found of rule.find(subject)) findings.push(finding(rule, found));
  }
  for (const rule of rulesOf("domain")) {
    for (const found of await rule.find(subject)) findings.push(finding(rule, found));
  }
  return findings;
}

/** A code that no rule has suppresses nothing; where the file is shared with Python it may be one of its own. */
function* unknownSuppressions(loaded: LoadedConfig): Generator<Finding> {
  for (const code of Object.keys(loaded.config.lint.suppressions)) {
    if (ruleOf(code)) continue;
    const key = `lint.suppressions.${code}`;
    const hint = endingWithHint(code, RULES.map((rule) => rule.code));
    const message = `'${key}' has no effect: no rule of this server has this code${hint}`;
    yield { code: "CONFIG_NO_EFFECT", level: "info", key, message, ...placeOf(loaded.origins.get(key)) };
  }
}
