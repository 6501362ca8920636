/**
 * Who has changed what: for every change that a person causes, allowed or refused, one line of the logger `audit`
 * and one entry of the stream `protean:audit`, which holds the last 10,000 (operations 7).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { BaseBroker } from "../adapters/ports.ts";
import { MAIN_BROKER } from "../domain/places.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { cut, logLine } from "../message/describe_error.ts";
import { isJsonObject } from "../message/parse.ts";

const log = getLogger("audit");

/** Where the entries lie. */
export const AUDIT_STREAM = "protean:audit";
/** Entries that are kept. */
export const AUDIT_KEPT = 10_000;
/** Entries that are looked at once, so that a reader holds no more in memory. */
const PAGE = 200;
/** Bytes of one text of an entry: a reason may be a whole file. */
const TEXT_BYTES = 2_000;

/** One change, done, cut short or refused. */
export interface Change {
  /** `dlq.replay`. */
  readonly what: string;
  readonly by: string;
  readonly filter?: object | undefined;
  readonly reason?: string | undefined;
  /** Things that were changed. */
  readonly count?: number;
  readonly skipped?: number;
  readonly failures?: number;
  /** `done`, `refused`, or the state of an operation. */
  readonly outcome: string;
  readonly operation?: string;
  /** Fingerprint of the group that was noted. */
  readonly group?: string;
  /** Why it was refused or cut short. */
  readonly why?: string | undefined;
}

/** What is asked of a domain. */
export type AuditRuntime = Pick<DomainRuntime, "name" | "brokers">;

/** Notes a change. Never rejects: what was done is done, and a broker that keeps no entry is told of once. */
export async function audit(runtime: AuditRuntime, { what, by, filter, ...facts }: Change): Promise<void> {
  const given = Object.entries(filter ?? {}).map(([key, value]) => [key, textOf(value)]);
  const said = Object.fromEntries(
    Object.entries(facts).filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, typeof value === "string" ? cut(value, TEXT_BYTES) : value]),
  );
  const entry = {
    ...{ who: cut(by, TEXT_BYTES), what, domain: runtime.name, from: hostname() },
    ...(filter && { filter: Object.fromEntries(given) }),
    ...said,
  };
  log.info("audit.change", entry);
  const broker = runtime.brokers.get(MAIN_BROKER);
  if (!broker) return;
  try {
    await keep(broker, JSON.stringify({ at: new Date(await broker.time()).toISOString(), ...entry }));
  } catch (error) {
    const facts = { error: logLine(error) };
    // Before its tables are made it cannot keep anything, which is no news.
    if (await isBare(broker)) log.debug("audit.not_kept", facts);
    else log.warn("audit.not_kept", facts);
  }
}

/** Runs `work`, and notes what becomes of it: `done` with what it returns, or `refused`. */
export async function audited<T>(
  runtime: AuditRuntime,
  change: Omit<Change, "outcome" | "why">,
  work: () => Promise<T>,
  counted: (result: T) => Partial<Pick<Change, "count" | "skipped" | "failures">> = () => ({}),
): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await audit(runtime, { ...change, outcome: "refused", why: logLine(error) });
    throw error;
  }
  await audit(runtime, { ...change, ...counted(result), outcome: "done" });
  return result;
}

async function isBare(broker: BaseBroker): Promise<boolean> {
  try {
    return (await broker.schema([])).some(({ state }) => state === "missing");
  } catch {
    return false;
  }
}

async function keep(broker: BaseBroker, data: string): Promise<void> {
  const [result] = await broker.publish([{ stream: AUDIT_STREAM, data }]);
  if (result && "error" in result) throw result.error;
  const { deadLetters } = broker;
  const excess = await deadLetters.depth(AUDIT_STREAM) - AUDIT_KEPT;
  if (excess <= 0) return;
  const oldest = await deadLetters.list(AUDIT_STREAM, { limit: Math.min(excess, PAGE) });
  await deadLetters.remove(AUDIT_STREAM, oldest.map(({ id }) => id));
}

/** The newest first, of one domain or of all on the broker. */
export async function auditEntries(
  broker: BaseBroker,
  { limit, domain }: { readonly limit: number; readonly domain?: string },
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const found: Readonly<Record<string, unknown>>[] = [];
  let after: string | undefined;
  while (found.length < limit) {
    const page = await broker.deadLetters.list(AUDIT_STREAM, {
      ...{ direction: "backwards", limit: PAGE, maxEntryBytes: 64 * 1024 },
      ...(after !== undefined && { after }),
    });
    after = page.at(-1)?.id;
    if (after === undefined) break;
    found.push(
      ...page.flatMap(({ id, data }) => entryOf(id, data)).filter((entry) =>
        domain === undefined || entry["domain"] === domain
      ),
    );
  }
  return found.slice(0, limit);
}

function entryOf(id: string, data: string | undefined): Readonly<Record<string, unknown>>[] {
  try {
    const value: unknown = JSON.parse(data ?? "");
    return isJsonObject(value) ? [{ id, ...value }] : [];
  } catch {
    return [];
  }
}

function textOf(value: unknown): string {
  const isTime = value instanceof Date && Number.isFinite(value.getTime());
  return cut(isTime ? value.toISOString() : String(value), TEXT_BYTES);
}

function hostname(): string {
  try {
    return Deno.hostname();
  } catch {
    return "unknown";
  }
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
