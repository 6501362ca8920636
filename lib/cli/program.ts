/**
 * The tree of commands (design 12).
 *
 * @module
 */
import { Command } from "commander";
import type { Cli } from "./cli.ts";
import { alertsCommand } from "./commands/alerts.ts";
import { auditCommand } from "./commands/audit.ts";
import { checkCommand } from "./commands/check.ts";
import { completionCommand } from "./commands/completion.ts";
import { configCommand } from "./commands/config.ts";
import { dbCommand } from "./commands/db.ts";
import { demoCommand } from "./commands/demo.ts";
import { deployCommand } from "./commands/deploy.ts";
import { dlqCommand } from "./commands/dlq.ts";
import { healthcheckCommand } from "./commands/healthcheck.ts";
import { newCommand } from "./commands/new.ts";
import { observatoryCommand } from "./commands/observatory.ts";
import { operationsCommand } from "./commands/operations.ts";
import { outboxCommand } from "./commands/outbox.ts";
import { reloadCommand } from "./commands/reload.ts";
import { sendCommand } from "./commands/send.ts";
import { serverCommand } from "./commands/server.ts";
import { subscriptionsCommand } from "./commands/subscriptions.ts";
import { versionCommand } from "./commands/version.ts";
import { withExamples } from "./examples.ts";
import { VERSION } from "../executable/version.ts";

/** The name users type. */
export const PROGRAM = "protean-server";
/** The verb when there is none. */
export const DEFAULT_VERB = "server";

/** Builds every command. */
export function buildProgram(cli: Cli): Command {
  const program = withExamples(
    new Command(PROGRAM).description(
      "Runs a domain in production: outbox, streams, handlers, dead letters, probes.",
    ),
    [
      ["--domain=my_domain", "run the server"],
      ['send --domain=my_domain PlaceOrder --data \'{"orderId":"o-1","amount":10}\'', "send one message"],
      ["dlq list --domain=my_domain", "see what could not be handled"],
    ],
  );
  program.version(`${PROGRAM} ${VERSION}`, "-V, --version", "print the version").usage("[command] [options]");
  for (
    const command of [
      serverCommand(cli),
      checkCommand(cli),
      sendCommand(cli),
      dlqCommand(cli),
      operationsCommand(cli),
      alertsCommand(cli),
      auditCommand(cli),
      outboxCommand(cli),
      subscriptionsCommand(cli),
      observatoryCommand(cli),
      dbCommand(cli),
      configCommand(cli),
      deployCommand(cli),
      healthcheckCommand(cli),
      reloadCommand(cli),
      ...cli.compiledIn.demo ? [demoCommand(cli, cli.compiledIn.demo)] : [],
      ...cli.compiledIn.scaffold ? [newCommand(cli, cli.compiledIn.scaffold)] : [],
      completionCommand(cli, program, DEFAULT_VERB),
      versionCommand(cli),
    ]
  ) program.addCommand(command);
  configure(program, cli);
  return program;
}

/**
 * Settings that every command of the tree needs: nothing exits the process, nothing prints but through
 * `cli.io`.
 */
function configure(command: Command, cli: Cli): void {
  command
    .exitOverride()
    .configureOutput({
      writeOut: (text) => cli.io.out(text),
      writeErr: (text) => cli.io.err(text),
      // `report` prints the error, once.
      outputError: () => {},
      getOutHelpWidth: () => cli.io.columns,
      getErrHelpWidth: () => cli.io.columns,
      getOutHasColors: () => cli.colors.isColorSupported,
      getErrHasColors: () => cli.errColors.isColorSupported,
    })
    .helpOption("-h, --help", "show this help");
  for (const child of command.commands) configure(child, cli);
}
