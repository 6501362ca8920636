/**
 * An operation as text for people and as JSON for programs, and how to go on with it.
 *
 * @module
 */
import { printable } from "../config/visible.ts";
import type { Operation } from "../domain/operations.ts";
import type { Cli } from "./cli.ts";
import type { DomainOptions } from "./options.ts";
import { Progress } from "./progress.ts";
import type { Clock } from "../async/clock.ts";

/** What has become of its letters, as the commands say it. */
export const DONE: Readonly<Record<Operation["kind"], string>> = {
  replay: "replayed",
  discard: "discarded",
  restore: "restored",
  purge: "purged",
  window: "sent",
};

/** Snake case, as everything that `--json` prints. */
export function operationJson(operation: Operation): Record<string, unknown> {
  const { id, kind, state, filter, reason, by, detached, rate, canary, created, ended } = operation;
  const { total, done, skipped, failures, failed, why } = operation;
  return {
    ...{ id, kind, state, filter, reason: reason ?? null, by, detached },
    ...{ rate: rate ?? null, canary: canary ?? null },
    ...{ total, done, skipped, failures, failed, why: why ?? null },
    created: created.toISOString(),
    ended: ended?.toISOString() ?? null,
  };
}

/** The page of `operations show`. */
export function operationDetails(cli: Cli, operation: Operation): string {
  const { id, kind, state, filter, reason, by, detached, rate, canary, created, ended } = operation;
  const { total, done, skipped, failures, failed, why } = operation;
  const lines: (readonly [string, string | undefined])[] = [
    ["ID", id],
    ["Kind", kind],
    ["State", state],
    ["Why", why],
    ["Filter", filterWords(filter)],
    ["By", by],
    ["Reason", reason],
    ["Runs", detached ? "on a running server" : "in the command that began it, or in `operations resume`"],
    ["Rate", rate === undefined ? undefined : `${rate} a second`],
    ["Canary", canary === undefined ? undefined : String(canary)],
    ["Total", String(total)],
    ["Done", String(done)],
    ["Skipped", String(skipped)],
    ["Failed", String(failures)],
    ["Created", created.toISOString()],
    ["Ended", ended?.toISOString()],
  ];
  const facts = lines.filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${cli.colors.bold(`${name}:`)} ${printable(String(value))}\n`);
  const list = failed.map(({ id, why }) => `${printable(id)}: ${printable(why)}\n`);
  if (failures > failed.length) list.push(`… and ${failures - failed.length} more.\n`);
  return `${facts.join("")}${list.length > 0 ? "\n" : ""}${list.join("")}`;
}

/** `handler=Mailer error=RangeError`; `all` for no filter. */
export function filterWords(filter: Operation["filter"]): string {
  const parts = Object.entries(filter).map(([key, value]) => `${key}=${value}`);
  return parts.length === 0 ? "all" : parts.join(" ");
}

/** The sentence that says how to go on with one that stands. */
export function howToGoOn({ id, kind, done, total }: Operation, options: DomainOptions): string {
  return `Stopped: ${done} of ${total} message(s) were ${DONE[kind]}. Go on with: ${
    resumeCommand(id, options)
  }\n`;
}

/** The command that goes on with an operation. */
export function resumeCommand(id: string, { domain, config }: DomainOptions): string {
  const given = [
    domain !== undefined && ` --domain=${domain}`,
    config !== undefined && ` --config=${config}`,
  ];
  return printable(
    `protean-server operations resume${given.filter((part) => part !== false).join("")} ${id}`,
  );
}

/** A line on stderr that follows an operation. */
export function followed(cli: Cli, clock: Clock): { update(operation: Operation): void; clear(): void } {
  const progress = new Progress(cli, clock);
  return {
    update: ({ kind, done, skipped, failures, total }) => {
      const over = done + skipped + failures;
      progress.update(`${done} of ${total} ${DONE[kind]}`, total === 0 ? 1 : Math.min(1, over / total));
    },
    clear: () => progress.clear(),
  };
}
