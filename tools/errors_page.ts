/**
 * `docs/reference/errors.md`, made from the list of codes and from the rules of `check`.
 *
 * @module
 */
import { ruleOf } from "../lib/check/catalogue.ts";
import { type CarriedBy, ERROR_CODES, EXITS_WITH_2 } from "../lib/error_codes.ts";
import { code, table } from "./reference_table.ts";

const HEAD = `<!-- Made by \`deno task docs\` from lib/error_codes.ts and lib/check. Do not edit. -->

# Error codes

Every error of ours is a \`ProteanError\` with a \`code\`, in one sentence that says what failed, where, and what to do; what it came from is its \`cause\`. Codes are stable, messages are not: scripts and dashboards go by the code. The same fault has the same code whatever the backend.

The command line prints the sentence on stderr, with \`--json\` the code in the envelope's \`diagnostics\`, and the stack at \`--log-level debug\`. A command that an error ends exits with 2 where another configuration or command line is needed, else with 1. A diagnostic is never thrown: \`check\` lists it and the log of a start tells it.
`;

/** The text of the page. */
export function errorsPage(): string {
  const rows = Object.entries(ERROR_CODES).sort(([a], [b]) => a < b ? -1 : 1).map(([name, row]) => {
    const [carrier, meaning, own] = row as readonly [CarriedBy, string, string?];
    const rule = ruleOf(name);
    const what = own ?? `${rule?.remedy ?? ""} See [check.md](check.md#${name.toLowerCase()}).`;
    const isDiagnostic = carrier === "diagnostic";
    const exit = isDiagnostic ? "" : EXITS_WITH_2.includes(carrier) ? "2" : "1";
    return [code(name), isDiagnostic ? "a diagnostic" : code(carrier), exit, meaning, what];
  });
  return `${HEAD}\n${table(["code", "carried by", "exit", "meaning", "what to do"], rows)}`;
}
