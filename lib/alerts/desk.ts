/**
 * Where people look at alerts and mute them, whatever process judges them (operations 11). The command line and
 * whoever else shows them call this.
 *
 * @module
 */
import type { BaseBroker } from "../adapters/ports.ts";
import { brokerOf, subscriptionBroker } from "../domain/places.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { IncorrectUsageError } from "../errors.ts";
import { audited, whoIs } from "../operations/audit.ts";
import { AlertBook } from "./book.ts";
import { type AlertFacts, isMuted, type Mute } from "./kept.ts";
import { RULE_NAMES } from "./rule_settings.ts";

/** The longest mute: who wants to hear nothing for longer turns the rule off. */
export const LONGEST_MUTE_MS = 30 * 24 * 3_600_000;

/** An alert as it is shown. */
export interface ListedAlert extends AlertFacts {
  readonly muted: boolean;
}

export interface AlertList {
  /** Those that fire first, then by rule and subject. */
  readonly alerts: readonly ListedAlert[];
  /** Those whose time is not over. */
  readonly mutes: readonly Mute[];
}

type DeskRuntime = Pick<DomainRuntime, "name" | "brokers" | "runners">;

/** What is kept on every broker of the domain. Rejects as the brokers do. */
export async function listAlerts(runtime: DeskRuntime): Promise<AlertList> {
  const pages = await Promise.all(
    keeping(runtime).map(async (broker) => {
      const { alerts, mutes } = await new AlertBook(broker, runtime.name).load();
      const now = await broker.time();
      return {
        alerts: alerts.map((alert) => ({ ...alert, muted: isMuted(mutes, alert, now) })),
        mutes: mutes.filter(({ until }) => until > now),
      };
    }),
  );
  const mutes = new Map(
    pages.flatMap(({ mutes }) => mutes).map((mute) => [JSON.stringify([mute.rule, mute.subject]), mute]),
  );
  return {
    alerts: pages.flatMap(({ alerts }) => alerts).sort(inOrder),
    mutes: [...mutes.values()].sort(inOrder),
  };
}

export interface MuteRequest {
  readonly rule: string;
  /** Undefined: every subject of the rule. */
  readonly subject?: string | undefined;
  /** 0: not any more. */
  readonly ms: number;
  readonly by?: string | undefined;
  readonly reason?: string | undefined;
}

/**
 * Keeps the channels from being told of a rule, or of one of its subjects, for a time; the log and the lists
 * still are. What fires when the time is over is told then. Returns until when, epoch ms on the broker's clock;
 * undefined where it is muted no more. Noted in the audit. Throws `IncorrectUsageError`.
 */
export async function muteAlerts(runtime: DeskRuntime, request: MuteRequest): Promise<number | undefined> {
  const { rule, subject, ms, reason } = request;
  const by = whoIs(request.by);
  const filter = { rule, ...(subject !== undefined && { subject }), for_seconds: ms / 1000 };
  return await audited(runtime, { what: "alerts.mute", by, filter, reason }, async () => {
    if (!RULE_NAMES.includes(rule)) {
      throw new IncorrectUsageError(
        `There is no rule '${rule}' to mute: the rules are ${RULE_NAMES.join(", ")}.`,
      );
    }
    if (!(ms >= 0 && ms <= LONGEST_MUTE_MS)) {
      throw new IncorrectUsageError("An alert is muted for at most 30 days: turn its rule off instead.");
    }
    let until: number | undefined;
    for (const broker of keeping(runtime)) {
      const end = await broker.time() + ms;
      await new AlertBook(broker, runtime.name).mute({ rule, subject, until: end, by });
      if (ms > 0) until = Math.max(until ?? 0, end);
    }
    return until;
  });
}

/**
 * Where anything of it can be: on the domain's own broker, and on those that its subscribers read from, whose
 * dead letters it maintains. What the outbox publishes to is another team's.
 */
function keeping({ brokers, runners }: DeskRuntime): readonly BaseBroker[] {
  const own = new Set([
    subscriptionBroker({ brokers }),
    ...runners.map((runner) => brokerOf({ brokers }, runner)),
  ]);
  return [...own].filter(({ alerts }) => alerts !== undefined);
}

const ORDER: readonly (string | undefined)[] = ["firing", "resolved", "pending"];

function inOrder(
  a: { readonly rule: string; readonly subject: string | undefined; readonly state?: string },
  b: { readonly rule: string; readonly subject: string | undefined; readonly state?: string },
): number {
  const byState = ORDER.indexOf(a.state) - ORDER.indexOf(b.state);
  if (byState !== 0) return byState;
  const [one, other] = [a, b].map(({ rule, subject = "" }) => JSON.stringify([rule, subject]));
  return (one ?? "") < (other ?? "") ? -1 : 1;
}
