/**
 * `db`: the tables of a domain in its databases (design 12). Where a provider has no tables it does nothing.
 *
 * @module
 */
import { Command } from "commander";
import type { BaseProvider, TableSpec } from "../../adapters/ports.ts";
import type { Cli } from "../cli.ts";
import { confirm } from "../confirm.ts";
import { envelope } from "../envelope.ts";
import { withExamples } from "../examples.ts";
import {
  addDomainOption,
  addJsonOption,
  addLogOptions,
  type DomainOptions,
  type LogOptions,
} from "../options.ts";
import { withDomain } from "../with_domain.ts";

interface Options extends DomainOptions, LogOptions {
  readonly json?: boolean;
  readonly yes?: boolean;
}

/** One verb of `db`. */
interface Verb {
  readonly name: string;
  readonly description: string;
  readonly done: string;
  /** Asked first where data is destroyed. */
  readonly question?: string;
  readonly run: (provider: BaseProvider, tables: readonly TableSpec[]) => Promise<void>;
}

const VERBS: readonly Verb[] = [
  {
    name: "setup",
    description: "Create every table that is missing; safe to repeat.",
    done: "Database tables created successfully.",
    run: (provider, tables) => provider.setup("all", tables),
  },
  {
    name: "setup-outbox",
    description: "Create the server's own tables, outbox and idempotency marks, where missing.",
    done: "Outbox tables created successfully.",
    run: (provider) => provider.setup("own", []),
  },
  {
    name: "drop",
    description: "Drop every table, the outbox too. All data is lost.",
    done: "Database tables dropped successfully.",
    question: "Drop every table of the domain? All data is lost.",
    run: (provider, tables) => provider.drop(tables),
  },
  {
    name: "truncate",
    description: "Empty every table, the outbox too. All data is lost.",
    done: "Database tables truncated successfully.",
    question: "Empty every table of the domain? All data is lost.",
    run: (provider, tables) => provider.truncate(tables),
  },
];

export function dbCommand(cli: Cli): Command {
  const group = withExamples(new Command("db").description("Create, empty or drop the tables of a domain."), [
    ["db setup --domain=my_domain", "create what is missing"],
    ["db truncate --domain=my_domain --yes", "empty every table without being asked"],
  ]);
  for (const verb of VERBS) group.addCommand(verbCommand(cli, verb));
  return group;
}

function verbCommand(cli: Cli, verb: Verb): Command {
  const command = new Command(verb.name).description(verb.description);
  if (verb.question) command.option("--yes", "do not ask");
  addJsonOption(addLogOptions(addDomainOption(command)));
  return withExamples(command, [[`db ${verb.name} --domain=my_domain`, verb.description]])
    .action((options: Options) => run(cli, verb, options));
}

async function run(cli: Cli, verb: Verb, options: Options): Promise<void> {
  await withDomain(cli, options, async (runtime) => {
    const agreed = !verb.question || await confirm(cli, `${verb.question} Go on?`, options.yes);
    if (!agreed) {
      cli.io.err("Nothing was changed.\n");
      return;
    }
    for (const [name, provider] of runtime.providers) {
      await verb.run(provider, runtime.tables.get(name) ?? []);
    }
    if (options.json) {
      cli.io.out(envelope("pass", { providers: [...runtime.providers.keys()], message: verb.done }));
    } else cli.io.out(`${verb.done}\n`);
  });
}
