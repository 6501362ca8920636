/**
 * Who is told that a dead-letter queue has reached its threshold, and that it is below it again (guide "Keep the
 * DLQ under control"; the rule `dlq_depth` of operations 11). With `alert_on = "change"` the broker keeps who
 * knows of what: a restart, or another process that goes on, repeats nothing and loses nothing.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { BaseBroker, DeadLetters } from "../adapters/ports.ts";
import type { Alerter, Receiver } from "../alerts/alerter.ts";
import { AlertBook } from "../alerts/book.ts";
import { type AlertFacts, isMuted, type KeptAlert, type Mute } from "../alerts/kept.ts";
import type { Clock } from "../async/clock.ts";
import type { DlqAlert } from "../domain/dlq_alert.ts";
import { summarizeDeadLetter } from "../message/dead_letter.ts";
import type { Party, WatchedQueue } from "./watched_queue.ts";

const log = getLogger(["protean", "dlq"]);

const RULE = "dlq_depth";
/** What is kept of a queue that nobody watches any more is forgotten then: a release may be on its way. */
const UNWATCHED_MS = 3_600_000;
/** The newest letters that are looked at for what they failed of, and the kinds that are told. */
const SAMPLE = 200;
const SAMPLE_BYTES = 4 * 1024 * 1024;
const TOP_ERRORS = 5;

export interface QueueAlertsOptions {
  readonly broker: BaseBroker;
  /** Its name, for several may be on the broker. */
  readonly domain: string;
  readonly alertOn: "cycle" | "change";
  /** Called once; it does not reject. */
  readonly alerter: () => Promise<Alerter<DlqAlert>>;
  readonly clock: Clock;
}

/** What the broker keeps of the alerts as a cycle begins. */
export interface KeptAlerts {
  /** By stream. */
  readonly alerts: ReadonlyMap<string, KeptAlert>;
  readonly mutes: readonly Mute[];
  /** Epoch ms on the broker's clock. */
  readonly now: number;
}

/** A party that has reached its threshold. */
export interface Breach {
  readonly party: Party;
  readonly depth: number;
}

/** A queue, and who is called for each alert that is counted. */
export interface AlertedQueue {
  readonly queue: WatchedQueue;
  readonly parties: readonly Party[];
  readonly happened: () => void;
}

/** What a cycle has found. */
export interface Look {
  readonly depth: number;
  /** Epoch ms of the oldest letter on the broker's clock. */
  readonly oldest: number | undefined;
  readonly kept: KeptAlerts;
  readonly signal: AbortSignal;
}

type Told = Pick<DlqAlert, "depth" | "threshold" | "handlers" | "state">;

export class QueueAlerts {
  readonly #options: QueueAlertsOptions;
  readonly #book: AlertBook;
  /** Since when (monotonic) what is kept is about no queue that is watched, by stream. */
  readonly #unwatched = new Map<string, number>();
  #alerter: Alerter<DlqAlert> | undefined;

  constructor(options: QueueAlertsOptions) {
    this.#options = options;
    this.#book = new AlertBook(options.broker, options.domain);
  }

  /** Calls of receivers that failed. */
  get failures(): number {
    return this.#alerter?.failures ?? 0;
  }

  /** Resolves once it is known who is told. Never rejects. */
  async ready(): Promise<void> {
    await this.#loaded();
  }

  /** What is kept of alerts about queues, without what nobody watches any more. Rejects as the broker does. */
  async load(streams: readonly string[], now: number): Promise<KeptAlerts> {
    const { alerts, mutes } = await this.#book.load();
    const own = alerts.filter(({ rule }) => rule === RULE);
    const monotonic = this.#options.clock.monotonic();
    const forgotten = own.filter(({ subject }) => {
      if (streams.includes(subject)) return false;
      const since = this.#unwatched.get(subject) ?? monotonic;
      this.#unwatched.set(subject, since);
      return monotonic - since >= UNWATCHED_MS;
    });
    await this.#book.put(forgotten.map((before) => ({ before, after: undefined })));
    for (const { subject } of forgotten) this.#unwatched.delete(subject);
    return { alerts: new Map(own.map((alert) => [alert.subject, alert])), mutes, now };
  }

  /** Tells whoever is to know of what a cycle has found. Rejects as the broker does. */
  async judge(alerted: AlertedQueue, breaches: readonly Breach[], look: Look): Promise<void> {
    const before = look.kept.alerts.get(alerted.queue.stream);
    if (breaches.length > 0) await this.#firing(alerted, breaches, before, look);
    else if (before) await this.#over(alerted, before, look);
  }

  async #firing(
    { queue: { stream }, happened }: AlertedQueue,
    breaches: readonly Breach[],
    before: KeptAlert | undefined,
    look: Look,
  ): Promise<void> {
    const [worst] = breaches;
    if (!worst) return;
    const { depth, party: { threshold } } = worst;
    const handlers = breaches.flatMap(({ party }) => party.rules.map(({ handler }) => handler));
    const wasFiring = before?.state === "firing";
    const text = `The dead-letter queue ${stream} holds ${depth} message(s) (threshold ${threshold}).`;
    const entry = wasFiring ? before : await this.#put(before, {
      ...{
        rule: RULE,
        subject: stream,
        state: "firing",
        since: look.kept.now,
        value: depth,
        threshold,
        text,
      },
      ...{ mark: undefined, told: before?.told ?? {} },
    });
    // Somebody else looks after the queue too: the next cycle shows what is the case.
    if (!entry || entry === "changed") return;
    if (!wasFiring || this.#options.alertOn === "cycle") {
      log.warn("dlq_maintenance.threshold_exceeded", { dlq_stream: stream, depth, threshold });
      happened();
    }
    await this.#tell(entry, { depth, threshold, handlers, state: "firing" }, look);
  }

  async #over({ queue: { stream }, parties }: AlertedQueue, before: KeptAlert, look: Look): Promise<void> {
    const { depth } = look;
    if (this.#options.alertOn === "cycle") return void await this.#put(before, undefined);
    const threshold = Math.min(...parties.map((party) => party.threshold));
    const handlers = parties.flatMap(({ rules }) => rules.map(({ handler }) => handler));
    const text = `The dead-letter queue ${stream} holds ${depth} message(s) again.`;
    const isKnown = Object.keys(before.told).length > 0;
    const entry = before.state === "resolved"
      ? before
      : await this.#put(before, isKnown ? { ...before, state: "resolved", value: depth, text } : undefined);
    if (entry === "changed") return;
    if (before.state === "firing") {
      log.info("dlq_maintenance.resolved", { dlq_stream: stream, depth, threshold });
    }
    if (entry) await this.#tell(entry, { depth, threshold, handlers, state: "resolved" }, look);
  }

  /** Tells whoever does not know yet, and keeps who knows. */
  async #tell(
    entry: KeptAlert,
    { depth, threshold, handlers, state }: Told,
    { oldest, kept: { mutes, now }, signal }: Look,
  ): Promise<void> {
    if (isMuted(mutes, entry, now)) return;
    const { broker, alertOn } = this.#options;
    const alerter = await this.#loaded();
    const knows = ({ name }: Receiver<DlqAlert>) => Object.hasOwn(entry.told, name);
    const to = alerter.receivers.filter((receiver) =>
      alertOn === "cycle" || knows(receiver) === (state === "resolved")
    );
    if (to.length === 0) {
      // Over, and nobody is there any more who was told that it began.
      if (state === "resolved") await this.#put(entry, undefined);
      return;
    }
    const alert: DlqAlert = {
      ...{ dlqStream: entry.subject, depth, threshold, handlers: [...new Set(handlers)], state },
      oldest: oldest === undefined ? undefined : new Date(oldest),
      topErrors: await topErrors(broker.deadLetters, entry.subject),
    };
    const told = await alerter.tell(alert, signal, to);
    if (alertOn === "cycle" || told.length === 0) return;
    if (state === "firing") {
      const names = Object.fromEntries(told.map(({ name }) => [name, now]));
      await this.#put(entry, { ...entry, told: { ...entry.told, ...names } });
      return;
    }
    const rest = Object.entries(entry.told).filter(([name]) =>
      !told.some((receiver) => receiver.name === name)
    );
    const isWaiting = to.length > told.length;
    await this.#put(entry, isWaiting ? { ...entry, told: Object.fromEntries(rest) } : undefined);
  }

  async #put(
    before: KeptAlert | undefined,
    after: AlertFacts | undefined,
  ): Promise<KeptAlert | "changed" | undefined> {
    const [now] = await this.#book.put([{ before, after }]);
    return now;
  }

  async #loaded(): Promise<Alerter<DlqAlert>> {
    return this.#alerter ??= await this.#options.alerter();
  }
}

/** What the newest letters failed of. */
async function topErrors(deadLetters: DeadLetters, stream: string): Promise<DlqAlert["topErrors"]> {
  const page = await deadLetters.list(stream, {
    ...{ direction: "backwards", limit: SAMPLE, maxBytes: SAMPLE_BYTES },
  });
  const counts = new Map<string, number>();
  for (const { id, data } of page) {
    const { errorType } = summarizeDeadLetter(data, { stream, id });
    const type = errorType ?? "unknown";
    counts.set(type, (counts.get(type) ?? 0) + 1);
  }
  return [...counts].map(([errorType, count]) => ({ errorType, count }))
    .sort((a, b) => b.count - a.count).slice(0, TOP_ERRORS);
}
