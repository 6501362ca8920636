/**
 * `docs/reference/check.md`, made from the rules themselves.
 *
 * @module
 */
import { RULES } from "../lib/check/catalogue.ts";
import type { Category, Rule } from "../lib/check/rule.ts";

const PARTS: readonly (readonly [Category, string])[] = [
  ["pools", "Pools"],
  ["servers", "Servers"],
  ["configuration", "Configuration"],
  ["domain", "The domain"],
  ["deployment", "Deployment"],
];

const STAGES: Readonly<Record<Rule["stage"], string>> = {
  loading: "where it is read, which ends a start",
  asking: "`check --connect`",
  start: "`check` and every start of the server",
  domain: "`check`",
  server: "`check --connect` and every start of the server",
  manifest: "`check --manifest`",
};

const HEAD = `<!-- Made by \`deno task docs\` from lib/check. Do not edit. -->

# \`protean-server check\`

Looks for what is wrong, or most likely not as meant, before it is deployed. It starts nothing, makes no file, and connects to nothing without \`--connect\`.

\`\`\`
protean-server check --domain=my_domain [--connect] [--workers N] [--replicas N] [--manifest deployment.yaml]
                     [--format human|json|sarif|github-annotations] [--level error|warning|info] [--quiet]
\`\`\`

| exit | when |
| --- | --- |
| 0 | nothing that fails a build |
| 1 | findings that do: errors always, warnings unless \`[lint] level\` is "error", notes where it is "info" |
| 2 | a wrong command line, a domain or a configuration that cannot be loaded: every problem is told at once, in every format |

\`--level\` is about what is shown. A finding that is right as it is can be left out, once for each time it is known; errors cannot:

\`\`\`toml
[lint]
level = "warn"

[lint.suppressions]
LOW_POOL_SIZE = 1
\`\`\`

Peak connections are replicas × workers × (\`pool_size\` + \`max_overflow\`), and what stands beside the pools; the page shows the arithmetic. They are held against \`[databases.*] connection_budget\`, else with \`--connect\` against what the server has free, else against PostgreSQL's default of 100; the finding says which. \`--replicas\` and \`--workers\` are those of the manifest where there is one: the most that its HorizontalPodAutoscaler or ScaledObject allows.

Several files, such as an autoscaler's own, are named one by one: \`--manifest deployment.yaml --manifest hpa.yaml\`. A template has to be rendered first: \`helm template . | protean-server check --manifest -\`.
`;

/** The text of the page. */
export function checkPage(): string {
  return HEAD +
    PARTS.map(([category, title]) => part(title, RULES.filter((rule) => rule.category === category))).join(
      "",
    );
}

function part(title: string, rules: readonly Rule[]): string {
  const sorted = [...rules].sort((a, b) => a.code < b.code ? -1 : 1);
  return `\n## ${title}\n${sorted.map(entry).join("")}`;
}

function entry({ code, level, stage, fires, rationale, remedy, mend }: Rule): string {
  const what = stage === "loading"
    ? `${fires.charAt(0).toUpperCase()}${fires.slice(1)}`
    : `Fires when ${fires}`;
  return `
### ${code}

${what.replace(/\.?$/, ".")} ${rationale}

- Level: ${level}. Asked by: ${STAGES[stage]}.
- ${remedy}

\`\`\`
${mend}
\`\`\`
`;
}
