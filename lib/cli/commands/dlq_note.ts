/**
 * `dlq note`: what is known of letters that failed alike, for those who look next.
 *
 * @module
 */
import { Command, InvalidArgumentError } from "commander";
import { isFingerprint, LONGEST_NOTE } from "../../dlq/notes.ts";
import { whoIs } from "../../operations/audit.ts";
import type { Cli } from "../cli.ts";
import { envelope } from "../envelope.ts";
import { withExamples } from "../examples.ts";
import {
  type ActorOptions,
  addActor,
  addCommonOptions,
  type DomainOptions,
  type LogOptions,
} from "../options.ts";
import { withDomain } from "../with_domain.ts";

interface Options extends DomainOptions, LogOptions, ActorOptions {
  readonly json?: boolean;
}

export function noteCommand(cli: Cli): Command {
  const command = withExamples(
    new Command("note").description("Keep a note on messages that failed alike; `dlq stats` shows it."),
    [
      [
        "dlq note --domain=my_domain 3f2a9c01d4e5 'mended in 1.4, replay tonight'",
        "in place of an earlier one",
      ],
      ["dlq note --domain=my_domain 3f2a9c01d4e5 ''", "removes it"],
    ],
  )
    .argument("<fingerprint>", "the group, as `dlq stats` shows it", group)
    .argument("<text>", `at most ${LONGEST_NOTE} characters`, note);
  return addCommonOptions(addActor(command)).action((fingerprint: string, text: string, options: Options) =>
    withDomain(cli, options, async (_, domain) => {
      await domain.deadLetters.note(fingerprint, text, {
        by: whoIs(options.by, (name) => cli.io.env(name)),
        ...(options.reason !== undefined && { reason: options.reason }),
      });
      const removed = text.trim() === "";
      if (options.json) cli.io.out(envelope("pass", { fingerprint, note: removed ? null : text.trim() }));
      else cli.io.out(`${removed ? "Removed the note on" : "Noted"} group '${fingerprint}'.\n`);
    })
  );
}

function group(value: string): string {
  if (isFingerprint(value)) return value;
  throw new InvalidArgumentError("It takes 12 hexadecimal digits, as `dlq stats` shows them.");
}

function note(value: string): string {
  if (value.length <= LONGEST_NOTE) return value;
  throw new InvalidArgumentError(`It takes at most ${LONGEST_NOTE} characters.`);
}
