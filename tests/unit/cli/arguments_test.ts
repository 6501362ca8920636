import { assertEquals, assertThrows } from "@std/assert";
import { Command } from "commander";
import { createCli } from "../../../lib/cli/cli.ts";
import { buildProgram } from "../../../lib/cli/program.ts";
import { recordingIo } from "./support.ts";
import { verbFirst } from "../../../lib/cli/arguments.ts";
import { UsageError } from "../../../lib/cli/usage_error.ts";

function program(): Command {
  return new Command("protean-server")
    .addCommand(new Command("server").option("--domain <d>").option("--workers <n>").option("--once"))
    .addCommand(new Command("send").argument("<message>").argument("[source]").option("--domain <d>"))
    .addCommand(
      new Command("dlq")
        .addCommand(new Command("list").option("--domain <d>").option("-l, --limit <n>").option("--json")),
    );
}

for (
  const [given, parsed] of [
    ["", "server"],
    ["--domain=d", "server --domain=d"],
    ["--domain d", "server --domain d"],
    ["--domain d --once --workers 2", "server --domain d --once --workers 2"],
    ["server --domain=d", "server --domain=d"],
    ["--once server --domain=d", "server --once --domain=d"],
    ["send --domain=d Place -", "send --domain=d Place -"],
    ["--domain=d send Place -", "send --domain=d Place -"],
    ["--domain d send Place --data {}", "send --domain d Place --data {}"],
    ["--domain send send Place", "send --domain send Place"],
    ["dlq --domain d list -l 5", "dlq list --domain d -l 5"],
    ["--json -l 5 dlq --domain d list", "dlq list --json -l 5 --domain d"],
    ["dlq lst", "dlq lst"],
    ["-- --domain=d send Place", "send --domain=d Place"],
    ["send Place -- --domain", "send Place -- --domain"],
    ["--wrong send", "server --wrong send"],
    ["--help", "--help"],
    ["-h", "-h"],
    ["--version", "--version"],
    ["help send", "help send"],
    ["--domain d --help", "--domain d --help"],
    ["send --help", "send --help"],
    ["--help send", "send --help"],
    ["--domain", "server --domain"],
  ] as const
) {
  Deno.test(`'${given}' is read as '${parsed}'`, () => {
    const args = given === "" ? [] : given.split(" ");
    assertEquals(verbFirst(args, program(), "server").join(" "), parsed);
  });
}

for (
  const [word, hint] of [["sned", "Did you mean 'send'?"], ["xyzzy", "'protean-server --help'"]] as const
) {
  Deno.test(`an unknown command '${word}' is a usage error with a hint`, () => {
    const error = assertThrows(() => verbFirst([word, "--domain=d"], program(), "server"), UsageError, word);
    assertEquals(error.message.includes(hint), true, error.message);
  });
}

Deno.test("the same flag takes a value everywhere or nowhere, so that it may stand before the verb", () => {
  const program = buildProgram(
    createCli(recordingIo(), { domains: {}, config: () => Promise.resolve(undefined) }),
  );
  const arity = new Map<string, boolean>();
  const visit = (command: Command) => {
    for (const { long, required, optional } of command.options) {
      assertEquals([long, arity.get(long ?? "") ?? required, optional], [long, required, false]);
      arity.set(long ?? "", required);
    }
    command.commands.forEach(visit);
  };
  visit(program);
  assertEquals(arity.get("--domain"), true);
});
