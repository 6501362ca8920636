/**
 * Tells the channels what they do not know yet, and remembers in the broker who knows: a restart or another
 * process repeats nothing. One that is killed between the two tells again, for otherwise an alert could be lost.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { Clock } from "../async/clock.ts";
import type { Alert } from "../domain/alert.ts";
import type { AlertObserver } from "../domain/observer.ts";
import { Alerter } from "./alerter.ts";
import type { AlertBook, Entry } from "./book.ts";
import type { Channel } from "./channels.ts";
import { type AlertFacts, isMuted, type KeptAlert, type Mute } from "./kept.ts";
import { keyOf } from "./watch.ts";

const log = getLogger(["protean", "alerts"]);

/** So long may all channels together take in one cycle; what is left is told in the next one. */
const BUDGET_MS = 10_000;
/** Alerts that a channel is told of before it is remembered. */
const REMEMBERED_AFTER = 20;
/** How long a channel that has failed is left alone: twice as long after each failure. */
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 300_000;

export interface TellingOptions {
  readonly book: AlertBook;
  readonly channels: readonly Channel[];
  /** After so many seconds what still fires is told again; 0: never. */
  readonly repeatSeconds: number;
  readonly clock: Clock;
  readonly observer: AlertObserver | undefined;
}

/** What is known at the moment of telling. */
export interface ToTell {
  readonly alerts: readonly KeptAlert[];
  readonly mutes: readonly Mute[];
  /** Epoch ms on the broker's clock. */
  readonly now: number;
  /** An alert that fires as it is now, for it may have grown worse since it was kept. */
  readonly renewed: (alert: KeptAlert) => AlertFacts;
}

export class Telling {
  readonly #options: TellingOptions;
  readonly #alerter: Alerter<readonly Alert[]>;
  /** By channel: failures in a row, and until when (monotonic) it is left alone. */
  readonly #paused = new Map<string, { readonly failures: number; readonly until: number }>();
  #told = 0;

  constructor(options: TellingOptions) {
    this.#options = options;
    this.#alerter = new Alerter(options.channels, options.clock, (channel, alerts, error) => {
      options.observer?.failed(channel);
      const facts = { channel, alerts: alerts.length, error };
      // Every try fails alike: once is enough.
      if (this.#paused.has(channel)) log.debug("alert.not_told", facts);
      else log.error("alert.not_told", facts);
    });
  }

  get counters(): { readonly told: number; readonly failed: number } {
    return { told: this.#told, failed: this.#alerter.failures };
  }

  /** Rejects where the broker does not keep what was told. */
  async tell(toTell: ToTell, signal: AbortSignal): Promise<void> {
    await this.#forget(toTell.alerts);
    const current = new Map(toTell.alerts.map((alert) => [keyOf(alert), alert]));
    const until = this.#options.clock.monotonic() + BUDGET_MS;
    let writing = Promise.resolve();
    const remember = (channel: string, alerts: readonly KeptAlert[]) =>
      writing = writing.then(() => this.#remember(channel, alerts, current, toTell));
    await Promise.all(this.#options.channels.map(async (channel) => {
      const due = toTell.alerts.filter((alert) => this.#isDue(channel.name, alert, toTell));
      let told: KeptAlert[] = [];
      const size = Math.min(channel.most, Math.max(1, due.length));
      for (let at = 0; at < due.length; at += size) {
        if (signal.aborted || this.#options.clock.monotonic() >= until || this.#isPaused(channel)) break;
        const some = due.slice(at, at + size);
        if (!await this.#tellChannel(channel, some, toTell, signal)) continue;
        told.push(...some);
        if (told.length < REMEMBERED_AFTER) continue;
        await remember(channel.name, told);
        told = [];
      }
      if (told.length > 0) await remember(channel.name, told);
    }));
  }

  /** What is over and was told to nobody who is there still. */
  async #forget(alerts: readonly KeptAlert[]): Promise<void> {
    const over = alerts.filter(({ state, told }) => state === "resolved" && !this.#knows(told));
    await this.#options.book.put(over.map((before) => ({ before, after: undefined })));
  }

  #knows(told: KeptAlert["told"]): boolean {
    return this.#options.channels.some(({ name }) => Object.hasOwn(told, name));
  }

  async #tellChannel(
    channel: Channel,
    kept: readonly KeptAlert[],
    { renewed }: ToTell,
    signal: AbortSignal,
  ): Promise<boolean> {
    const alerts = kept.map((alert) => publicOf(alert.state === "firing" ? renewed(alert) : alert));
    const { length } = await this.#alerter.tell(alerts, signal, [channel]);
    const { observer, clock } = this.#options;
    if (length > 0) {
      this.#paused.delete(channel.name);
      this.#told += alerts.length;
      for (const { rule, state } of alerts) observer?.told(rule, state);
      return true;
    }
    if (signal.aborted) return false;
    const failures = (this.#paused.get(channel.name)?.failures ?? 0) + 1;
    const ms = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
    this.#paused.set(channel.name, { failures, until: clock.monotonic() + ms });
    return false;
  }

  #isPaused({ name }: Channel): boolean {
    return this.#options.clock.monotonic() < (this.#paused.get(name)?.until ?? -Infinity);
  }

  #isDue(channel: string, alert: KeptAlert, { mutes, now }: ToTell): boolean {
    if (isMuted(mutes, alert, now)) return false;
    const told = Object.hasOwn(alert.told, channel) ? alert.told[channel] : undefined;
    if (alert.state === "resolved") return told !== undefined;
    if (alert.state !== "firing") return false;
    const { repeatSeconds } = this.#options;
    return told === undefined || repeatSeconds > 0 && now - told >= repeatSeconds * 1000;
  }

  async #remember(
    channel: string,
    alerts: readonly KeptAlert[],
    current: Map<string, KeptAlert>,
    { now, renewed }: ToTell,
  ): Promise<void> {
    const entries = alerts.flatMap((alert): Entry[] => {
      const before = current.get(keyOf(alert));
      if (!before) return [];
      if (before.state === "firing") {
        const after = { ...renewed(before), told: { ...before.told, [channel]: now } };
        return [{ before, after }];
      }
      const { [channel]: _, ...others } = before.told;
      return [{ before, after: this.#knows(others) ? { ...before, told: others } : undefined }];
    });
    const kept = await this.#options.book.put(entries);
    for (const [at, { before }] of entries.entries()) {
      const now = kept[at];
      if (!before || now === "changed") continue;
      if (now) current.set(keyOf(before), now);
      else current.delete(keyOf(before));
    }
  }
}

/** What code and channels are told. */
function publicOf({ rule, subject, state, since, value, threshold, text }: AlertFacts): Alert {
  const told = state === "resolved" ? "resolved" : "firing";
  return { rule, subject, state: told, since: new Date(since), value, threshold, text };
}
