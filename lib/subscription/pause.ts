/**
 * What a subscription does while a backend of its handler is away or refuses everybody (D12). As long as
 * everything fails nothing is read and nothing taken: one message at a time is tried, at first at once, then
 * every few seconds and only while the backend answers its pings. With the first that succeeds all go on.
 * However long that takes, it costs no message an attempt.
 *
 * An open circuit breaker keeps everything waiting in the same way, and a half-open one lets one message at a
 * time be tried.
 *
 * What fails while others succeed is tried again with a backoff of its own, and a bounded number of times: a
 * message that breaks its backend every time ends in the dead letters. What is refused while others succeed
 * waits for as long as it is: that is no message's own failure, see `Refusals`.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { type Random, retryDelay } from "../async/backoff.ts";
import type { Clock } from "../async/clock.ts";
import type { Backend } from "../domain/backends.ts";
import type { BreakerState } from "../domain/observer.ts";
import { RefusedError } from "../errors.ts";
import type { HandlerReporter, WorkHealth } from "../status/work_health.ts";
import type { Breaker } from "./breaker.ts";
import type { Delivery } from "./delivery.ts";
import type { Inbox } from "./inbox.ts";
import type { Outage } from "./outage.ts";
import { FIRST_TRY_SECONDS, LAST_TRY_SECONDS, Refusals } from "./refusals.ts";
import { RetrySchedule } from "./retry_schedule.ts";
import type { SubscriptionSettings } from "./settings/resolve.ts";

const log = getLogger(["protean", "subscription"]);

/** A message that fails for its backend while others succeed is tried so often, uncounted. */
const OWN_RETRIES = 20;
/** The first time may have been the beginning of an outage. */
const KNOWN_TO_FAIL = 2;
/** Whoever pauses again so soon has not seen the end, and goes on where it was. */
const SAME_OUTAGE_MS = 10_000;
/** So often it is looked whether a backend that is away answers its pings again. */
const LOOK_MS = 500;
/** So long a half-open breaker leaves the reader to find something that was not tried yet. */
const READ_FIRST_MS = 1000;
/** Pings may be slower than the work: so often a message is tried whatever they say. */
const ANYWAY_MS = 60_000;
/**
 * So long a missing table that only one handler's statement names may be one that somebody is about to
 * create. Afterwards the statement is wrong, if others get on well with the same database.
 */
const PATIENCE_MS = 120_000;
/**
 * A refusal that was not seen for so long is another one when it is: what was missing may have been there.
 */
const SAME_REFUSAL_MS = 600_000;
/** Refusals that are remembered; there is one for each table that is missing. */
const MOST_REFUSALS = 100;

export interface PauseParts {
  /** As logs name the subscription. */
  readonly name: string;
  readonly inbox: Inbox;
  readonly clock: Clock;
  readonly random: Random;
  readonly settings: Pick<SubscriptionSettings, "retryDelaySeconds" | "retryMaxDelaySeconds">;
  /**
   * Told how the handler's work goes, and asked what pings say. @default nobody is told, every ping answered
   */
  readonly health?: WorkHealth | undefined;
  /** Must notify `inbox.changed` when it changes. @default it never opens */
  readonly breaker?: Breaker | undefined;
}

/** When a missing table was missed first and last (monotonic), and what others had committed by the first. */
interface Refusal {
  readonly since: number;
  readonly commits: number;
  seen: number;
}

interface Paused {
  readonly since: number;
  readonly backend: Backend | undefined;
  tries: number;
  /** Monotonic; not before then is the next message tried. */
  nextTry: number;
  /** When the last one was. */
  lastTry: number;
}

export class Pause {
  readonly #parts: PauseParts;
  readonly #reporters = new Map<string, HandlerReporter>();
  /** What failed for a backend since the last success with it, and how often. */
  readonly #failing = new Map<Delivery, number>();
  /** They wait for a turn of the pause. */
  #parked: Delivery[] = [];
  /** They wait on their own, beside others that succeed. */
  readonly #later: RetrySchedule<Delivery>;
  /** They wait for what is refused to them alone. */
  readonly #refused: Refusals;
  readonly #refusals = new Map<string, Refusal>();
  #paused: Paused | undefined;
  /** What the last outage was about. */
  #backend: Backend | undefined;
  /** The one message that is being tried. */
  #trying: Delivery | undefined;
  #tookFresh = false;
  /** Tries without success, also over pauses that followed each other at once. */
  #failures = 0;
  #resumedAt = -Infinity;

  constructor(parts: PauseParts) {
    this.#parts = parts;
    this.#later = new RetrySchedule(parts.clock, (delivery) => parts.inbox.resume(delivery));
    this.#refused = new Refusals(parts);
  }

  /** True while nothing may be taken but by `turn`. */
  get on(): boolean {
    return this.#paused !== undefined || this.#circuit !== "closed";
  }

  /** True while nothing should be taken over from others, who may get on with it. */
  get holds(): boolean {
    return this.#paused !== undefined || this.#circuit === "open";
  }

  get #circuit(): BreakerState {
    return this.#parts.breaker?.state ?? "closed";
  }

  /** How much may be read at a time, of `count`; while paused one message, where there is no other to try. */
  readable(count: number): number {
    if (!this.on) return count;
    if (this.#circuit === "open" || this.#parts.inbox.ready + this.#parts.inbox.later > 0) return 0;
    return !this.#paused || this.#answers(this.#paused.backend) ? 1 : 0;
  }

  /**
   * While paused: the message to try, once its time has come, for one worker only; end it with `tried`.
   * Undefined: the pause is over, or `signal` has aborted. Never rejects.
   */
  async turn(signal: AbortSignal): Promise<Delivery | undefined> {
    const { inbox, clock } = this.#parts;
    while (this.on && !signal.aborted) {
      if (this.#circuit === "open") await inbox.changed.wait({ signal });
      else if (this.#paused && ![...this.#failing.keys()].some(({ stage }) => stage !== "done")) this.#end();
      else if (this.#trying) await inbox.changed.wait({ signal });
      else if (!this.#paused) {
        const ms = this.#untilRetry();
        this.#trying = inbox.takeRead() ?? (ms <= 0 ? inbox.take() : undefined);
        if (this.#trying) return this.#trying;
        await inbox.changed.wait({ signal, clock, ...(ms > 0 && { ms }) });
      } else {
        const ms = this.#untilTry(this.#paused);
        if (ms <= 0) {
          this.#trying = this.#candidate();
          if (this.#trying) return this.#trying;
        }
        await inbox.changed.wait({ signal, clock, ...(ms > 0 && { ms }) });
      }
    }
    return undefined;
  }

  /** What came of a turn, `succeeded` or `failed` has been told. */
  tried(delivery: Delivery): void {
    if (this.#trying !== delivery) return;
    this.#trying = undefined;
    this.#parts.inbox.changed.notify();
  }

  /** Its handler run was committed. */
  succeeded(delivery: Delivery): void {
    this.#parts.breaker?.succeeded();
    for (const backend of delivery.backends) this.#reporter(backend)?.committed();
    this.#refused.succeeded(delivery);
    if (this.#failing.size === 0) return;
    const backend = this.#backend;
    // What has used another backend, or none, says nothing about this one.
    if (backend && !delivery.backends.some((used) => isSame(used, backend))) return this.over(delivery);
    this.#failing.clear();
    if (this.#paused) this.#end();
  }

  /** Its handler has decided what becomes of it: it works. */
  decided(delivery: Delivery): void {
    this.over(delivery);
    this.#parts.breaker?.succeeded();
  }

  /** Its handler has failed by itself. */
  faulted(delivery: Delivery): void {
    this.over(delivery);
    const counts = !delivery.blamed;
    delivery.blamed = true;
    // Half open, the one that is tried decides, and none that had begun before.
    if (this.#circuit === "half_open" ? this.#trying === delivery : counts) this.#parts.breaker?.failed();
  }

  /** It does not wait for a backend any more, whatever else became of it. */
  over(delivery: Delivery): void {
    this.#refused.forget(delivery);
    if (this.#failing.delete(delivery) && this.#failing.size === 0 && !this.#paused) this.#quiet();
  }

  /**
   * Its handler run failed for a backend. True: it waits, uncounted, and is tried again. False: the failure
   * is its own.
   */
  failed(delivery: Delivery, outage: Outage, facts: Record<string, unknown>): boolean {
    const { inbox, settings, random } = this.#parts;
    const { error, backend } = outage;
    const { attempts } = delivery;
    if (error instanceof RefusedError && this.#isOwnMistake(error, backend)) {
      this.#refused.dismiss(error);
      this.#failing.clear();
      if (this.#paused) this.#end();
      else this.#quiet();
      return false;
    }
    const isRefused = error instanceof RefusedError;
    if (
      isRefused && this.#refused.refused(delivery, error, backend, LAST_TRY_SECONDS * 1000) && !this.#paused
    ) {
      this.#refused.wait(delivery);
      return true;
    }
    this.#backend = backend;
    const failures = (this.#failing.get(delivery) ?? 0) + 1;
    this.#failing.set(delivery, failures);
    const shows = this.#witnesses() > 1 || failures > 1 && this.#isOutage(outage);
    if (!this.#paused && shows) this.#begin(outage);
    if (this.#paused) {
      attempts.repeat();
      inbox.suspend(delivery);
      this.#parked.push(delivery);
      // One that had begun before the pause is no try.
      if (this.#trying === delivery) this.#failedTry(this.#paused);
      this.#report(outage, this.#paused.nextTry - this.#parts.clock.monotonic());
      return true;
    }
    if (isRefused) {
      this.#refused.wait(delivery);
      return true;
    }
    if (attempts.outages >= OWN_RETRIES) {
      this.over(delivery);
      return false;
    }
    attempts.outage();
    const base = Math.max(settings.retryDelaySeconds, 0.1);
    const wait = retryDelay(attempts.outages, base, settings.retryMaxDelaySeconds, random);
    log.warn("subscription.backend_unavailable", { ...facts, retry_in_ms: Math.round(wait) });
    inbox.suspend(delivery);
    this.#later.add(delivery, wait);
    this.#report(outage, wait);
    return true;
  }

  /** Clears the timers, for good; what waits stays where it is. */
  close(): void {
    this.#later.close();
    this.#refused.close();
    this.#quiet();
  }

  /** Nothing waits for a backend any more. */
  #quiet(): void {
    for (const reporter of this.#reporters.values()) reporter.ok();
  }

  #begin({ error, backend }: Outage): void {
    const { name, clock } = this.#parts;
    const now = clock.monotonic();
    if (now - this.#resumedAt > SAME_OUTAGE_MS) this.#failures = 0;
    this.#paused = { since: now, backend, tries: 0, nextTry: now + this.#pace(), lastTry: now };
    this.#parked = [...this.#later.drain(), ...this.#refused.drain()];
    log.warn("subscription.paused", { subscription: name, ...told(backend), reason: error.message });
  }

  #end(): void {
    const { name, inbox, clock } = this.#parts;
    const paused = this.#paused;
    if (!paused) return;
    this.#paused = undefined;
    this.#resumedAt = clock.monotonic();
    for (const delivery of this.#parked) inbox.resume(delivery);
    this.#parked = [];
    this.#quiet();
    log.info("subscription.resumed", {
      ...{ subscription: name, ...told(paused.backend) },
      paused_ms: Math.round(this.#resumedAt - paused.since),
      tries: paused.tries,
    });
    inbox.changed.notify();
  }

  #failedTry(paused: Paused): void {
    this.#failures++;
    paused.tries++;
    paused.lastTry = this.#parts.clock.monotonic();
    paused.nextTry = paused.lastTry + this.#pace();
  }

  #pace(): number {
    return retryDelay(this.#failures + 1, FIRST_TRY_SECONDS, LAST_TRY_SECONDS, this.#parts.random);
  }

  /** Milliseconds until a message may be tried, or until it is to be looked again; 0 or less: now. */
  #untilTry({ backend, nextTry, lastTry }: Paused): number {
    const now = this.#parts.clock.monotonic();
    if (this.#answers(backend)) return nextTry - now;
    return Math.min(LOOK_MS, lastTry + ANYWAY_MS - now);
  }

  /**
   * In turn one that was not tried yet and one that was, so that none that breaks its backend by itself keeps
   * the others from showing that it does.
   */
  #candidate(): Delivery | undefined {
    const { inbox } = this.#parts;
    this.#tookFresh = !this.#tookFresh;
    const fresh = this.#tookFresh ? inbox.take() : undefined;
    if (fresh) return fresh;
    const parked = this.#parked.shift();
    if (parked) inbox.resume(parked);
    return inbox.take();
  }

  /**
   * Half open: milliseconds until one may be tried that was tried before, which may be what has opened the
   * breaker. Those just read come first, and nothing was read while it was open.
   */
  #untilRetry(): number {
    const { breaker, clock } = this.#parts;
    return (breaker?.since ?? 0) + READ_FIRST_MS - clock.monotonic();
  }

  /**
   * How many messages show that everything fails. One that has failed before while others succeeded has to do
   * so twice without a success in between.
   */
  #witnesses(): number {
    let count = 0;
    for (const [delivery, failures] of this.#failing) {
      if (delivery.stage === "done") this.#failing.delete(delivery);
      else if (failures > 1 || delivery.attempts.outages < KNOWN_TO_FAIL) count++;
    }
    return count;
  }

  /** Whether one message alone shows that it is the backend: it may be what breaks it. */
  #isOutage({ error, backend }: Outage): boolean {
    return error instanceof RefusedError || error.isUnreached || !this.#answers(backend);
  }

  #isOwnMistake(error: RefusedError, backend: Backend | undefined): boolean {
    if (error.concerns !== "statement") return false;
    const now = this.#parts.clock.monotonic();
    const commits = backend && this.#reporter(backend)?.commits || 0;
    const before = this.#refusals.get(error.message);
    if (before && now - before.seen < SAME_REFUSAL_MS) {
      before.seen = now;
      return now - before.since >= PATIENCE_MS && commits > before.commits;
    }
    if (this.#refusals.size >= MOST_REFUSALS) this.#refusals.clear();
    this.#refusals.set(error.message, { since: now, commits, seen: now });
    return false;
  }

  #report({ error, backend }: Outage, againInMs: number): void {
    if (backend) this.#reporter(backend)?.unavailable(error.message, againInMs);
  }

  #answers(backend: Backend | undefined): boolean {
    return !backend || (this.#parts.health?.answers(backend.kind, backend.name) ?? true);
  }

  #reporter(backend: Backend): HandlerReporter | undefined {
    const key = `${backend.kind}/${backend.name}`;
    const known = this.#reporters.get(key);
    if (known) return known;
    const made = this.#parts.health?.handlerReporter(backend.kind, backend.name);
    if (made) this.#reporters.set(key, made);
    return made;
  }
}

function isSame(a: Backend, b: Backend): boolean {
  return a.kind === b.kind && a.name === b.name;
}

function told(backend: Backend | undefined): Record<string, string> {
  return backend ? { backend: `${backend.kind} '${backend.name}'` } : {};
}
