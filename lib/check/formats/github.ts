/**
 * Findings as annotations of GitHub Actions (wire 8.4).
 *
 * @module
 */
import type { DiagnosticLevel } from "../../diagnostics.ts";
import type { Finding } from "../findings.ts";
import { fileOf, inWorkspace, type Workspace } from "./place.ts";

const COMMANDS: Readonly<Record<DiagnosticLevel, string>> = {
  error: "error",
  warning: "warning",
  info: "notice",
};

/** One line a finding: `::warning file=domain.toml,line=3::RULE [LOW_POOL_SIZE] …`. */
export function githubAnnotations(findings: readonly Finding[], workspace: Workspace): string {
  return findings.map(({ code, level, message, file, line }) => {
    const path = fileOf(file);
    const at = path === undefined ? [] : [
      `file=${property(inWorkspace(path, workspace))}`,
      ...(line === undefined ? [] : [`line=${line}`]),
    ];
    return `::${COMMANDS[level]}${at.length > 0 ? ` ${at.join(",")}` : ""}::${
      data(`RULE [${code}] ${message}`)
    }\n`;
  }).join("");
}

function data(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function property(text: string): string {
  return data(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
