/**
 * Who has changed what: one line of the logger `audit` for every change that a person causes (operations 7).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { DeadLetterFilter } from "../domain/dead_letters.ts";

const log = getLogger("audit");

/** One change, done, cut short or refused. */
export interface Change {
  /** `dlq.replay`. */
  readonly what: string;
  readonly domain: string;
  readonly by: string;
  readonly filter: DeadLetterFilter;
  readonly reason?: string | undefined;
  /** Letters that were changed. */
  readonly count: number;
  readonly skipped: number;
  readonly failures: number;
  readonly outcome: string;
  readonly operation?: string;
  /** Fingerprint of the group that was noted. */
  readonly group?: string;
  /** Why it was refused or cut short. */
  readonly why?: string | undefined;
}

export function audit({ what, by, filter, ...facts }: Change): void {
  const given = Object.entries(filter).map(([key, value]) => [
    key,
    value instanceof Date && Number.isFinite(value.getTime()) ? value.toISOString() : String(value),
  ]);
  const said = Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
  log.info("audit.change", { who: by, what, filter: Object.fromEntries(given), ...said });
}

/** `given`, else `PROTEAN_USER`, else the system's user, else `unknown`. */
export function whoIs(given: string | undefined, env = (name: string) => Deno.env.get(name)): string {
  const names = [given, ...["PROTEAN_USER", "LOGNAME", "USER", "USERNAME"].map(readable(env))];
  return names.find((name) => name !== undefined && name.trim() !== "") ?? "unknown";
}

/** Code that may not read the environment changes letters all the same. */
function readable(env: (name: string) => string | undefined): (name: string) => string | undefined {
  return (name) => {
    try {
      return env(name);
    } catch {
      return undefined;
    }
  };
}
