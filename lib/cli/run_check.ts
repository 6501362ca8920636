/**
 * One run of `check`: loads what is asked about, runs the rules, prints what they found.
 *
 * @module
 */
import { check, type Checked } from "../check/check.ts";
import { declaredProblems } from "../check/inspect.ts";
import { atLeast, countsOf, type Finding, isGated, problemFinding, statusOf } from "../check/findings.ts";
import { githubAnnotations } from "../check/formats/github.ts";
import { connectionJson, findingJson, serverJson } from "../check/formats/json.ts";
import { sarif } from "../check/formats/sarif.ts";
import type { Workspace } from "../check/formats/place.ts";
import { readWorkloads } from "../check/manifest/read.ts";
import { scaleOf } from "../check/manifest/scale.ts";
import type { Workload } from "../check/manifest/workload.ts";
import { loadConfig, type LoadedConfig } from "../config/load.ts";
import { configurationError } from "../config/problems.ts";
import { maskText } from "../config/secrets.ts";
import { asError, ConfigurationError, type ConfigurationProblem } from "../errors.ts";
import { VERSION } from "../executable/version.ts";
import { beginLog } from "./begin_log.ts";
import type { CheckFlags } from "./check_flags.ts";
import { checkLine, checkPage, type CheckView } from "./check_view.ts";
import type { Cli } from "./cli.ts";
import { configSearch } from "./config_search.ts";
import { envelope } from "./envelope.ts";
import { loadDomain } from "./load_domain.ts";
import { manifestText } from "./manifest_text.ts";
import { EXIT_FAILURE, EXIT_OK, EXIT_USAGE, problemsOf, report } from "./report.ts";

/** Sets the exit code; throws only what is a defect. */
export async function runCheck(cli: Cli, flags: CheckFlags): Promise<void> {
  // What is found is printed; the log is for trouble on the way.
  beginLog(cli, flags, "fatal");
  const format = flags.json ? "json" : flags.format;
  let checked: Checked;
  let loaded: LoadedConfig;
  try {
    const { domain, folder } = await loadDomain(cli, flags);
    const search = { domain: domain.name, ...await configSearch(cli, folder, flags) };
    const [workloads, config] = await Promise.allSettled([workloadsOf(cli, flags), loadConfig(search)]);
    if (workloads.status === "rejected" || config.status === "rejected") {
      throw together([workloads, config], declaredProblems(domain));
    }
    loaded = config.value;
    const scale = scaleOf(workloads.value, flags);
    const connect = flags.connect ?? false;
    checked = await check(domain, loaded, { scale, connect, workloads: workloads.value });
  } catch (error) {
    cli.exitCode = unloadable(cli, format, error);
    return;
  }
  const findings = checked.findings.map(masked);
  const counts = countsOf(findings);
  const gated = isGated(counts, loaded.config.lint.level);
  const view: CheckView = {
    ...{ domain: checked.domain, counts, gated, connections: checked.connections, servers: checked.servers },
    findings: atLeast(flags.level, findings),
  };
  cli.exitCode = checked.isBroken ? EXIT_USAGE : gated ? EXIT_FAILURE : EXIT_OK;
  if (flags.quiet && (format === "human" || format === "rich")) return cli.io.out(checkLine(view));
  cli.io.out(printed(cli, format, view, checked.isBroken));
}

/** All that could not be read, and what is known to be wrong all the same. */
function together(
  results: readonly PromiseSettledResult<unknown>[],
  further: readonly ConfigurationProblem[],
): Error {
  const errors = results.flatMap((result) => result.status === "rejected" ? asError(result.reason) : []);
  const other = errors.find((error) => !(error instanceof ConfigurationError));
  if (other) return other;
  const found = errors.flatMap((error) => error instanceof ConfigurationError ? error.problems : []);
  return configurationError([...found, ...further]);
}

async function workloadsOf(cli: Cli, { manifest }: CheckFlags): Promise<readonly Workload[]> {
  if (manifest.length === 0) return [];
  return readWorkloads(await Promise.all([...new Set(manifest)].map((path) => manifestText(cli.io, path))));
}

function printed(cli: Cli, format: CheckFlags["format"], view: CheckView, isBroken: boolean): string {
  const { findings, domain, counts, connections, servers } = view;
  switch (format) {
    case "human":
    case "rich":
      return checkPage(cli, view);
    case "json": {
      const told = findings.map((finding) => findingJson(finding, domain));
      const errors = told.filter(({ level }) => level === "error");
      const status = statusOf(counts);
      const data = {
        ...{ domain, status, counts, errors, connections: connections.map(connectionJson) },
        ...(servers && { servers: servers.map(serverJson) }),
      };
      return envelope(isBroken ? "error" : view.gated ? "fail" : "pass", data, told);
    }
    case "sarif":
      return sarif(findings, { ...workspaceOf(cli), version: VERSION, isComplete: true });
    case "github-annotations":
      return githubAnnotations(findings, workspaceOf(cli));
  }
}

/** Nothing could be checked: every problem is told all the same, in the format that was asked for. */
function unloadable(cli: Cli, format: CheckFlags["format"], error: unknown): number {
  const { message, problems } = problemsOf(error);
  const findings = problems.map(problemFinding);
  switch (format) {
    case "human":
    case "rich":
      break;
    case "json":
      cli.io.out(envelope("error", { error: message }, findings.map((one) => findingJson(one, ""))));
      break;
    case "sarif":
      cli.io.out(sarif(findings, { ...workspaceOf(cli), version: VERSION, isComplete: false }));
      break;
    case "github-annotations":
      cli.io.out(githubAnnotations(findings, workspaceOf(cli)));
  }
  return report(cli, error, []);
}

function workspaceOf({ io }: Cli): Workspace {
  const cwd = io.cwd();
  return { cwd, root: io.env("GITHUB_WORKSPACE") || cwd };
}

/** An adapter of somebody else's may have said anything. */
function masked(finding: Finding): Finding {
  return { ...finding, message: maskText(finding.message) };
}
