/**
 * What is kept of an alert and of a mute in the broker, as JSON. Another release may have written it: what is
 * not understood is left out, never guessed.
 *
 * @module
 */
import { isJsonObject } from "../message/parse.ts";

/** `pending`: it has not been so for long enough. `resolved`: over, and not everybody knows. */
export type KeptState = "pending" | "firing" | "resolved";
const STATES: readonly unknown[] = ["pending", "firing", "resolved"] satisfies KeptState[];

/** What is known of one rule and subject. */
export interface AlertFacts {
  readonly rule: string;
  readonly subject: string;
  readonly state: KeptState;
  /** Epoch ms on the broker's clock: when it began to be so. */
  readonly since: number;
  readonly value: number | undefined;
  readonly threshold: number | undefined;
  readonly text: string;
  /** What must not change meanwhile; see `Finding.mark`. */
  readonly mark: string | undefined;
  /** Names of those who know that it fires, with when they were told last: epoch ms on the broker's clock. */
  readonly told: Readonly<Record<string, number>>;
}

/** An alert as it is kept now. */
export interface KeptAlert extends AlertFacts {
  readonly id: string;
  /** To the letter. */
  readonly raw: string;
}

/** Nobody is told meanwhile. */
export interface Mute {
  readonly rule: string;
  /** Undefined: every one. */
  readonly subject: string | undefined;
  /** Epoch ms on the broker's clock. */
  readonly until: number;
  readonly by: string | undefined;
}

/** Characters of a subject, a text and a mark that are kept. */
export const LONGEST_SUBJECT = 300;
export const LONGEST_TEXT = 500;

type Kind = "alert" | "mute";

/** The id of what is kept; of a domain, for several may be on one broker. */
export function keptId(domain: string, kind: Kind, rule: string, subject = ""): string {
  return JSON.stringify([domain, kind, rule, subject.slice(0, LONGEST_SUBJECT)]);
}

/** Undefined for what is another domain's, or no id of ours. */
export function readId(
  domain: string,
  id: string,
): { readonly kind: Kind; readonly rule: string; readonly subject: string } | undefined {
  const parts = parsed(id);
  if (!Array.isArray(parts) || parts.length !== 4 || parts[0] !== domain) return undefined;
  const [, kind, rule, subject] = parts;
  if (kind !== "alert" && kind !== "mute") return undefined;
  return typeof rule === "string" && typeof subject === "string" ? { kind, rule, subject } : undefined;
}

export function renderAlert({ state, since, value, threshold, text, mark, told }: AlertFacts): string {
  return JSON.stringify({ state, since, value, threshold, text: text.slice(0, LONGEST_TEXT), mark, told });
}

export function readAlert(id: string, rule: string, subject: string, raw: string): KeptAlert | undefined {
  const value = parsed(raw);
  if (!isJsonObject(value) || !STATES.includes(value["state"]) || !isTime(value["since"])) return undefined;
  const { text, mark, told } = value;
  const times = Object.entries(isJsonObject(told) ? told : {}).filter(([, at]) => isTime(at));
  return {
    ...{ id, rule, subject, raw, state: value["state"] as KeptState, since: value["since"] },
    ...{ value: number(value["value"]), threshold: number(value["threshold"]) },
    text: typeof text === "string" ? text : "",
    mark: typeof mark === "string" ? mark : undefined,
    told: Object.fromEntries(times) as Record<string, number>,
  };
}

export function renderMute({ until, by }: Pick<Mute, "until" | "by">): string {
  return JSON.stringify({ until, by });
}

export function readMute(rule: string, subject: string, raw: string): Mute | undefined {
  const value = parsed(raw);
  if (!isJsonObject(value) || !isTime(value["until"])) return undefined;
  const by = typeof value["by"] === "string" ? value["by"] : undefined;
  return { rule, subject: subject === "" ? undefined : subject, until: value["until"], by };
}

/** Whether nobody is to be told of it at `now`. */
export function isMuted(
  mutes: readonly Mute[],
  { rule, subject }: Pick<AlertFacts, "rule" | "subject">,
  now: number,
): boolean {
  return mutes.some((mute) =>
    mute.rule === rule && now < mute.until && (mute.subject === undefined || mute.subject === subject)
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && Math.abs(value) <= 8.64e15;
}

function number(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}
