/**
 * What `check` shows to people (wire 8.4).
 *
 * @module
 */
import { ruleOf } from "../check/catalogue.ts";
import type { ConnectionSum } from "../check/connections.ts";
import { type Counts, type Finding, statusOf } from "../check/findings.ts";
import { describeProblem } from "../config/problems.ts";
import { printable } from "../config/visible.ts";
import type { DiagnosticLevel } from "../diagnostics.ts";
import type { SeenServer } from "../check/subject.ts";
import { mebibytes } from "../status/server_memory.ts";
import type { Cli } from "./cli.ts";

/** What is shown. */
export interface CheckView {
  readonly domain: string;
  /** Those of the level that was asked for. */
  readonly findings: readonly Finding[];
  /** Of all findings, shown or not. */
  readonly counts: Counts;
  readonly connections: readonly ConnectionSum[];
  /** Undefined: nobody has asked them. */
  readonly servers: readonly SeenServer[] | undefined;
  /** Whether the exit code is 1. */
  readonly gated: boolean;
}

/** `Shop: warn (errors=0, warnings=5, infos=3)`. */
export function checkLine({ domain, counts }: CheckView): string {
  const { errors, warnings, infos } = counts;
  return `${domain}: ${statusOf(counts)} (errors=${errors}, warnings=${warnings}, infos=${infos})\n`;
}

export function checkPage(cli: Cli, view: CheckView): string {
  const { domain, findings, counts, connections, servers = [], gated } = view;
  const { colors } = cli;
  const status = statusOf(counts);
  const paint = { pass: colors.green, info: colors.cyan, warn: colors.yellow, fail: colors.red }[status];
  const lines = ["", `  Domain: ${printable(domain)}  ${paint(status.toUpperCase())}`];
  const summary = [
    ...(counts.errors > 0 ? [`${counts.errors} error(s)`] : []),
    ...(counts.warnings > 0 ? [`${counts.warnings} warning(s)`] : []),
    ...(counts.infos > 0 ? [`${counts.infos} info(s)`] : []),
  ];
  if (summary.length > 0) lines.push(`  ${summary.join(", ")}`);
  lines.push(...section("Errors", "error", "✗", findings));
  lines.push(...section("Warnings", "warning", "!", findings));
  lines.push(...section("Info", "info", "·", findings));
  if (connections.length > 0) {
    lines.push("", "  Connections:", ...connections.map((sum) => `    ${printable(connectionLine(sum))}`));
  }
  if (servers.length > 0) {
    lines.push(
      "",
      "  Servers:",
      ...servers.map((one) => `    ${printable(serverLine(one))}`),
    );
  }
  if (status === "pass") lines.push("", "  All checks passed.");
  if (status === "info") lines.push("", "  All checks passed with informational findings.");
  if (gated && findings.length === 0) {
    lines.push("", "  What fails this check is below --level: run it without to see it.");
  }
  return lines.join("\n") + "\n";
}

function section(title: string, level: DiagnosticLevel, mark: string, all: readonly Finding[]): string[] {
  const own = all.filter((one) => one.level === level);
  if (own.length === 0) return [];
  return ["", `  ${title} (${own.length}):`, ...own.flatMap((one) => entry(mark, one))];
}

function entry(mark: string, finding: Finding): string[] {
  const { code, remedy } = finding;
  const rule = ruleOf(code);
  const fix = remedy ?? rule?.remedy;
  return [
    `    ${mark} ${code}: ${printable(describeProblem(finding))}`,
    ...(fix === undefined ? [] : [`        fix: ${printable(fix)}`]),
    ...(rule === undefined ? [] : [`        as in: ${rule.mend}`]),
  ];
}

function connectionLine({ sections, arithmetic, limit, limitFrom, server }: ConnectionSum): string {
  const of = limit === undefined ? "" : `, of ${limit} (${limitFrom})`;
  return `${sections.join(", ")} at ${server}: ${arithmetic}${of}`;
}

function serverLine({ section, facts }: SeenServer): string {
  if (!facts) return `${section}: answers; what it has to give could not be read`;
  const { product, version = "of unknown version", maxConnections, usedMemory, maxMemory, evictionPolicy } =
    facts;
  const told = [
    ...(maxConnections === undefined ? [] : [`${maxConnections} connections in all`]),
    ...(evictionPolicy === undefined ? [] : [`maxmemory-policy ${evictionPolicy}`]),
    ...(usedMemory === undefined
      ? []
      : [`${mebibytes(usedMemory)} of ${maxMemory ? mebibytes(maxMemory) : "any"} MiB used`]),
  ];
  return [`${section}: ${product} ${version}`, ...told].join(", ");
}
