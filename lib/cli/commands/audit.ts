/**
 * `audit`: who has changed what by command line or code (operations 7).
 *
 * @module
 */
import { Command } from "commander";
import { subscriptionBroker } from "../../domain/places.ts";
import type { DomainRuntime } from "../../domain/runtime.ts";
import { auditEntries } from "../../operations/audit.ts";
import type { Cli } from "../cli.ts";
import { envelope } from "../envelope.ts";
import { withExamples } from "../examples.ts";
import { addCommonOptions, type DomainOptions, type LogOptions, positive } from "../options.ts";
import { clipped, table } from "../table.ts";
import { toTheSecond } from "../times.ts";
import { withDomain } from "../with_domain.ts";

interface Options extends DomainOptions, LogOptions {
  readonly limit: number;
  readonly json?: boolean;
}

export function auditCommand(cli: Cli): Command {
  const group = withExamples(new Command("audit").description("Look at who has changed what."), [
    ["audit list --domain=my_domain", "the last changes, allowed or refused"],
  ]);
  const command = withExamples(
    new Command("list").description(
      "List changes that people have caused, the newest first; 10,000 are kept.",
    ),
    [["audit list --domain=my_domain --limit 20 --json", "for a program"]],
  ).option("--limit <n>", "at most this many", positive, 100);
  return group.addCommand(
    addCommonOptions(command).action((options: Options) =>
      withDomain(cli, options, (runtime) => list(cli, runtime, options))
    ),
  );
}

async function list(cli: Cli, runtime: DomainRuntime, { limit, json }: Options): Promise<void> {
  const entries = await auditEntries(subscriptionBroker(runtime), { limit, domain: runtime.name });
  if (json) return cli.io.out(envelope("pass", { entries, count: entries.length }));
  if (entries.length === 0) return cli.io.out("No changes found.\n");
  const cell = (value: unknown) => value === undefined ? "-" : String(value);
  const rows = entries.map(({ at, who, from, what, outcome, count, filter, reason, why }) => [
    toTheSecond(cell(at)),
    cell(who),
    cell(from),
    cell(what),
    cell(outcome),
    cell(count),
    clipped(filter === undefined ? "-" : JSON.stringify(filter), 50),
    clipped(cell(reason ?? why), 50),
  ]);
  cli.io.out(await table(cli, ["At", "Who", "From", "What", "Outcome", "Count", "Filter", "Reason"], rows));
  cli.io.out(`\n${entries.length} change(s) found.\n`);
}
