/**
 * `check`: what is wrong, or most likely not as meant, before it is deployed (design 12, CFG-2, CFG-3).
 *
 * @module
 */
import { Command, Option } from "commander";
import { type CheckFlags, FORMATS } from "../check_flags.ts";
import type { Cli } from "../cli.ts";
import { withExamples } from "../examples.ts";
import { addCommonOptions, filled, positive } from "../options.ts";

export function checkCommand(cli: Cli): Command {
  const command = new Command("check")
    .description(
      "Look for what is wrong before it is deployed: configuration, domain, pools, servers, manifests. Starts nothing. " +
        "Exit 0: nothing that fails a build; 1: findings; 2: a configuration that cannot be loaded.",
    )
    .addOption(
      new Option("-f, --format <format>", "how to print it; rich means human").choices(FORMATS).default(
        "human",
      ),
    )
    .addOption(
      new Option("-l, --level <level>", "the least that is shown; what fails a build is [lint] level")
        .choices(["error", "warning", "info"]).default("info"),
    )
    .option("-q, --quiet", "one line, for logs")
    .option("--connect", "ask the servers as well: whether they answer, and what they have to give")
    .option("--workers <n>", "processes in each replica (default: those of the manifest, else 1)", positive)
    .option(
      "--replicas <n>",
      "pods or machines (default: the most that the manifest allows, else 1)",
      positive,
    )
    .option(
      "--manifest <file>",
      "a Kubernetes manifest that deploys it, once for each file; - reads it from stdin",
      (value: string, before: readonly string[]) => [...before, filled(value)],
      [],
    );
  return withExamples(addCommonOptions(command), [
    ["check --domain=my_domain", "before every deployment"],
    ["check --connect --workers 4 --replicas 3", "with what the servers have to give"],
    ["check --manifest deployment.yaml --format sarif > check.sarif", "a manifest too, for code scanning"],
  ]).action(async (options: CheckFlags) => {
    const { runCheck } = await import("../run_check.ts");
    await runCheck(cli, options);
  });
}
