/**
 * Findings as SARIF 2.1.0, for code scanning (wire 8.4).
 *
 * @module
 */
import { visibleJson } from "../../config/visible.ts";
import type { DiagnosticLevel } from "../../diagnostics.ts";
import { ruleOf } from "../catalogue.ts";
import type { Finding } from "../findings.ts";
import { fileOf, inWorkspace, type Workspace } from "./place.ts";

const SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/** The page of the reference that code scanning links to, whatever the code (wire 8.4). */
const HELP = "https://docs.proteanhq.com/reference/fitness-functions";

const LEVELS: Readonly<Record<DiagnosticLevel, string>> = {
  error: "error",
  warning: "warning",
  info: "note",
};

export interface SarifOptions extends Workspace {
  readonly version: string;
  /** False: the run ended before every rule was asked. */
  readonly isComplete: boolean;
}

/** The text of a log with one run. */
export function sarif(findings: readonly Finding[], options: SarifOptions): string {
  const codes = [...new Set(findings.map(({ code }) => code))];
  const log = {
    $schema: SCHEMA,
    version: "2.1.0",
    runs: [{
      tool: { driver: { name: "protean", semanticVersion: options.version, rules: codes.map(ruleJson) } },
      invocations: [{ executionSuccessful: options.isComplete }],
      results: findings.map((finding) => resultJson(finding, codes.indexOf(finding.code), options)),
    }],
  };
  return visibleJson(JSON.stringify(log, null, 2)) + "\n";
}

function ruleJson(code: string): unknown {
  const rule = ruleOf(code);
  const helpUri = `${HELP}#${code.toLowerCase().replaceAll("_", "-")}`;
  if (!rule) return { id: code, helpUri };
  const anchor = `docs/reference/check.md#${code.toLowerCase()}`;
  return {
    id: code,
    shortDescription: { text: `Fires when ${rule.fires}` },
    fullDescription: { text: rule.rationale },
    help: {
      text: `${rule.remedy} ${rule.mend}`,
      markdown: `${rule.remedy}\n\n\`\`\`\n${rule.mend}\n\`\`\`\n\nSee ${anchor}.`,
    },
    helpUri,
    defaultConfiguration: { level: LEVELS[rule.level] },
    properties: { category: rule.category },
  };
}

function resultJson(
  { code, level, message, file, line, element, key }: Finding,
  ruleIndex: number,
  options: SarifOptions,
): unknown {
  const named = element ?? key;
  const path = fileOf(file);
  const physicalLocation = path === undefined ? undefined : {
    artifactLocation: { uri: uriOf(inWorkspace(path, options)) },
    ...(line !== undefined && { region: { startLine: line } }),
  };
  const logicalLocations = named === undefined ? undefined : [{ fullyQualifiedName: named }];
  const location = {
    ...(physicalLocation && { physicalLocation }),
    ...(logicalLocations && { logicalLocations }),
  };
  return {
    ruleId: code,
    ruleIndex,
    level: LEVELS[level],
    message: { text: message },
    ...(Object.keys(location).length > 0 && { locations: [location] }),
  };
}

function uriOf(path: string): string {
  const encoded = path.split("/").map(encodeURIComponent).join("/");
  return encoded.startsWith("/") ? `file://${encoded}` : encoded;
}
