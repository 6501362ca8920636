/**
 * `demo`: a sample of the bundled domain on the embedded default.
 *
 * @module
 */
import { Command } from "commander";
import type { Cli, Demo } from "../cli.ts";
import { withExamples } from "../examples.ts";

export function demoCommand(cli: Cli, sample: Demo): Command {
  const command = new Command("demo").description(
    "Run a thousand sample orders through the bundled domain on SQLite, show what happened, and end.",
  );
  return withExamples(command, [["demo", "takes a few seconds and leaves nothing behind"]]).action(
    async () => {
      const { demo } = await import("../demo.ts");
      await demo(cli, sample);
    },
  );
}
