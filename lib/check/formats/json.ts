/**
 * Findings as the envelope has them: the keys of the reference (wire 8.4) beside the house's own.
 *
 * @module
 */
import { ruleOf } from "../catalogue.ts";
import type { ConnectionSum } from "../connections.ts";
import type { Finding } from "../findings.ts";
import type { SeenServer } from "../subject.ts";

/** One entry of `diagnostics`; `domain` stands for the element of a finding about none. */
export function findingJson(finding: Finding, domain: string): Finding & Record<string, unknown> {
  const { code, element, key, file, line, remedy } = finding;
  const rule = ruleOf(code);
  return {
    ...finding,
    category: rule?.category ?? "configuration",
    element: element ?? key ?? domain,
    ...(rule && { rule: { rationale: rule.rationale, fix: rule.remedy } }),
    ...(rule && { suggestion: remedy ?? rule.remedy, resolving_operation: operation(rule.mend) }),
    ...(key !== undefined && { field: key }),
    ...(file !== undefined && { location: { file, ...(line !== undefined && { line }) } }),
  };
}

/** A command that mends it, or (with `command` null) a line to write. */
function operation(mend: string): unknown {
  const isCommand = /^(protean-server|redis-cli|chmod|export|deno|kubectl|helm) /.test(mend);
  const [command = "", ...args] = mend.split(" ");
  return isCommand ? { command, args, display: mend } : { command: null, args: [], display: mend };
}

/** One entry of `data.connections`. */
export function connectionJson(
  { kind, server, sections, total, arithmetic, limit, limitFrom }: ConnectionSum,
): unknown {
  return { kind, server, sections, total, arithmetic, limit: limit ?? null, limit_from: limitFrom };
}

/** One entry of `data.servers`. */
export function serverJson({ section, facts }: SeenServer): unknown {
  const {
    product,
    version,
    maxConnections,
    reservedConnections,
    others,
    usedMemory,
    maxMemory,
    evictionPolicy,
  } = facts ?? {};
  return {
    section,
    product: product ?? null,
    version: version ?? null,
    max_connections: maxConnections ?? null,
    reserved_connections: reservedConnections ?? null,
    others: others ?? null,
    used_memory: usedMemory ?? null,
    max_memory: maxMemory ?? null,
    eviction_policy: evictionPolicy ?? null,
  };
}
