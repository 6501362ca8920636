/**
 * `version`: what this is and what it runs on.
 *
 * @module
 */
import { Command } from "commander";
import { COMMIT, VERSION } from "../../executable/version.ts";
import type { Cli } from "../cli.ts";
import { envelope } from "../envelope.ts";
import { withExamples } from "../examples.ts";
import { addJsonOption } from "../options.ts";
import { standalone } from "../../executable/standalone.ts";

export function versionCommand(cli: Cli): Command {
  const command = addJsonOption(new Command("version").description("Print the version."));
  return withExamples(command, [
    ["version", "the version of the server"],
    ["version --json", "with the commit and the Deno it was built from"],
  ]).action((options: { json?: boolean }) => {
    cli.io.out(
      options.json
        ? envelope("pass", {
          version: VERSION,
          commit: COMMIT,
          ...Deno.version,
          target: Deno.build.target,
          standalone,
        })
        : `protean-server ${VERSION}\n`,
    );
  });
}
