/**
 * `dlq import`: dead letters from a file back into their queues.
 *
 * @module
 */
import { Command } from "commander";
import { whoIs } from "../../operations/audit.ts";
import type { SavedDeadLetter } from "../../domain/dead_letters.ts";
import type { Domain } from "../../domain/domain.ts";
import type { Cli } from "../cli.ts";
import { envelope } from "../envelope.ts";
import { withExamples } from "../examples.ts";
import { letterOf } from "../letter_file.ts";
import type { Line } from "../lines.ts";
import {
  type ActorOptions,
  addActor,
  addCommonOptions,
  type DomainOptions,
  filled,
  type LogOptions,
} from "../options.ts";
import { EXIT_FAILURE } from "../report.ts";
import { openPayloads } from "../send_source.ts";
import { withDomain } from "../with_domain.ts";
import { printable } from "../../config/visible.ts";

interface Options extends DomainOptions, LogOptions, ActorOptions {
  readonly json?: boolean;
}

/** A line that was not imported. */
interface Refusal {
  readonly line: number;
  readonly reason: string;
}

/** Refusals that the envelope lists; all of them are told on stderr. */
const MAX_REFUSALS = 100;

export function importCommand(cli: Cli): Command {
  const command = withExamples(
    new Command("import").description(
      "Put dead letters from a file that --export wrote at the end of their queues. Twice is twice.",
    ),
    [["dlq import --domain=my_domain letters.jsonl", "every letter of the file"]],
  )
    .argument("<file>", "JSON Lines", filled);
  return addCommonOptions(addActor(command)).action((file: string, options: Options) =>
    withDomain(cli, options, (_, domain) => importAll(cli, domain, file, options))
  );
}

async function importAll(cli: Cli, domain: Domain, file: string, options: Options): Promise<void> {
  const { batches } = await openPayloads(cli.io, { file, stdin: false });
  const refusals: Refusal[] = [];
  let [imported, refused] = [0, 0];
  const refuse = (line: number, why: string) => {
    const reason = printable(why);
    cli.io.err(`line ${line}: ${reason}\n`);
    refused++;
    if (refusals.length < MAX_REFUSALS) refusals.push({ line, reason });
  };
  const how = {
    by: whoIs(options.by, (name) => cli.io.env(name)),
    ...(options.reason !== undefined && { reason: options.reason }),
  };
  for await (const lines of batches) {
    const letters: { readonly line: number; readonly letter: SavedDeadLetter }[] = [];
    for (const line of lines) {
      const read = readLine(line);
      if (read === undefined) continue;
      if ("why" in read) refuse(line.number, read.why);
      else letters.push({ line: line.number, letter: read });
    }
    if (letters.length === 0) continue;
    const results = await domain.deadLetters.import(letters.map(({ letter }) => letter), how);
    results.forEach((result, at) => {
      if ("why" in result) refuse(letters[at]?.line ?? 0, result.why);
      else imported++;
    });
  }
  if (refused > 0) cli.exitCode = EXIT_FAILURE;
  if (options.json) cli.io.out(envelope(refused > 0 ? "fail" : "pass", { imported, refused, refusals }));
  else cli.io.out(`Imported ${imported} message(s) to DLQ, refused ${refused}.\n`);
}

/** Undefined for a blank line. */
function readLine(line: Line): SavedDeadLetter | { readonly why: string } | undefined {
  if ("problem" in line) return { why: `the line is ${line.problem}` };
  return line.text.trim() === "" ? undefined : letterOf(line.text);
}
