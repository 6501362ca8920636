/**
 * `config`: what is in effect and why, and the schema for editors (design 12, CFG-4).
 *
 * @module
 */
import { Command, Option } from "commander";
import type { Cli } from "../cli.ts";
import { printableLines } from "../../config/visible.ts";
import { withExamples } from "../examples.ts";
import { addDomainOption, addJsonOption, type DomainOptions } from "../options.ts";

interface PrintOptions extends DomainOptions {
  readonly origin?: boolean;
  readonly json?: boolean;
}

export function configCommand(cli: Cli): Command {
  const group = withExamples(new Command("config").description("Show the configuration and its schema."), [
    ["config print --origin --domain=my_domain", "every value in effect and where it came from"],
    ["config schema > domain.schema.json", "completion and checks in an editor"],
  ]);
  return group.addCommand(printCommand(cli)).addCommand(schemaCommand(cli));
}

function printCommand(cli: Cli): Command {
  const command = new Command("print")
    .description("Print the configuration in effect as TOML; secrets are masked.")
    .option("--origin", "say behind each value where it came from");
  return withExamples(addJsonOption(addDomainOption(command)), [
    ["config print --domain=my_domain", "what the server would run with"],
    ["config print --origin --config ./domain.toml", "where each value came from"],
    ["config print --json --domain=my_domain", "for scripts"],
  ]).action(async (options: PrintOptions) => {
    const { loadEffective, renderConfig } = await import("../effective_config.ts");
    const { loaded, unnamed } = await loadEffective(cli, options);
    const warnings = loaded.warnings.map(({ message }) => message);
    if (unnamed) {
      warnings.push("The domain is not run for this: files that are named after it are shown as 'domain'.");
    }
    for (const message of warnings) {
      cli.io.err(`${cli.errColors.yellow("Warning:")} ${printableLines(message)}\n`);
    }
    cli.io.out(renderConfig(loaded, options));
  });
}

function schemaCommand(cli: Cli): Command {
  const command = new Command("schema")
    .description("Print the JSON Schema of domain.toml.")
    // The schema is the same for every domain, but a script may add --domain to whatever it runs.
    .addOption(new Option("--domain <domain>").hideHelp());
  return withExamples(command, [["config schema > domain.schema.json", "for an editor with TOML support"]])
    .action(async () => {
      const { jsonSchema } = await import("../../config/json_schema.ts");
      cli.io.out(JSON.stringify(jsonSchema(), null, 2) + "\n");
    });
}
