/**
 * Watches the rules of `[alerts]` and tells when one fires and when it is over (operations 11). Every process
 * watches; the one that holds the broker's lock judges and tells, so that replicas tell once between them.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { BaseBroker } from "../adapters/ports.ts";
import { joined } from "../async/abort.ts";
import type { Random } from "../async/backoff.ts";
import { type Clock, sleep } from "../async/clock.ts";
import { BackgroundService, type EngineService, type ServiceStatus } from "../async/service.ts";
import type { AlertObserver } from "../domain/observer.ts";
import { logLine } from "../message/describe_error.ts";
import { AlertBook, type Entry, MOST_KEPT } from "./book.ts";
import type { Channel } from "./channels.ts";
import type { AlertFigures } from "./figures.ts";
import { find, type Finding } from "./findings.ts";
import { factsOf, judge, over } from "./judge.ts";
import { type AlertFacts, type KeptAlert, LONGEST_SUBJECT } from "./kept.ts";
import { type AlertRules, type RuleName, type RuleSettings, ruleSettings } from "./rule_settings.ts";
import { SoleLock } from "./sole_lock.ts";
import { Telling } from "./telling.ts";
import { keyOf, Watch } from "./watch.ts";

const log = getLogger(["protean", "alerts"]);

/** How often the rules are looked at, and the time in which the first look comes. */
export const LOOK_MS = 5_000;
const FIRST_WITHIN_MS = 2_000;
/** What is not there for so long is gone: while a release rolls out, one process may know what another does not. */
const GONE_AFTER_MS = 60_000;
/** A worker never comes back under its name: for so long it is told that it was lost. */
const LOST_FOR_MS = 3_600_000;
/** Alerts of rules that this release does not know are another's, as long as they are young. */
const FOREIGN_FOR_MS = 7 * 24 * 3_600_000;
/** Lines of the log about alerts in one cycle. */
const MOST_LINES = 50;

export interface AlertServiceOptions {
  readonly broker: BaseBroker;
  /** Its name, for several may be on the broker. */
  readonly domain: string;
  readonly rules: AlertRules;
  /** See `[alerts] repeat_seconds`. */
  readonly repeatSeconds: number;
  /** What is known now; costs no I/O. */
  readonly figures: () => AlertFigures;
  /** Called once, when the watch begins; it does not reject. */
  readonly channels: () => Promise<readonly Channel[]>;
  readonly clock: Clock;
  readonly random?: Random;
  readonly observer?: AlertObserver | undefined;
}

export class AlertService extends BackgroundService implements EngineService {
  readonly stage = "maintenance";
  readonly name = "alerts";
  readonly #options: AlertServiceOptions;
  readonly #book: AlertBook;
  readonly #lock: SoleLock;
  readonly #rules: ReadonlyMap<string, RuleSettings>;
  readonly #watch = new Watch();
  /** Of which it is known what the process before has kept. */
  readonly #adopted = new Set<string>();
  /** Since when (monotonic) nothing is said of what is kept. */
  readonly #missing = new Map<string, number>();
  readonly #counters = { fired: 0, resolved: 0 };
  #firing: ReadonlyMap<string, number> | undefined;
  #telling: Telling | undefined;
  #failing = false;
  #full = false;

  constructor(options: AlertServiceOptions) {
    super();
    const { broker, domain, rules } = options;
    this.#options = options;
    this.#book = new AlertBook(broker, domain);
    this.#lock = new SoleLock(broker, `alerts:${domain}`);
    this.#rules = ruleSettings(rules);
  }

  /** How many fire, by rule; undefined while another process judges. */
  get firing(): ReadonlyMap<string, number> | undefined {
    return this.#firing;
  }

  status(): ServiceStatus {
    const { told = 0, failed = 0 } = this.#telling?.counters ?? {};
    return { kind: "alerts", name: this.name, unfinished: 0, counters: { ...this.#counters, told, failed } };
  }

  protected async run(signal: AbortSignal): Promise<void> {
    const { clock, random = Math.random } = this.#options;
    // That it cannot tell anybody is said at the start, and not when there is something to tell.
    await this.#loaded();
    await sleep(clock, random() * FIRST_WITHIN_MS, signal);
    while (!signal.aborted) {
      await this.#turn(signal);
      await sleep(clock, LOOK_MS, signal);
    }
  }

  protected override async end(): Promise<void> {
    await this.#lock.release();
  }

  /** Looks once. Never rejects; what went wrong is told once. */
  async #turn(signal: AbortSignal): Promise<void> {
    try {
      await this.look(signal);
      if (this.#failing) log.info("alerts.recovered", {});
      this.#failing = false;
    } catch (error) {
      if (signal.aborted) return;
      const facts = { error: logLine(error) };
      if (this.#failing) log.debug("alerts.failed", facts);
      else log.warn("alerts.failed", facts);
      this.#failing = true;
    }
  }

  /** Watches, and where this process holds the lock judges and tells. Rejects as the broker does. */
  async look(signal: AbortSignal): Promise<void> {
    const { clock, figures, rules } = this.#options;
    const { findings, judged } = find(figures(), rules);
    const concerned = findings.map(shortened).filter((finding) => this.#concerns(finding));
    this.#watch.look(concerned, clock.monotonic());
    const held = await this.#lock.hold(signal);
    if (!held) {
      this.#firing = undefined;
      return;
    }
    if (held.fresh) this.#adopted.clear();
    using either = joined(signal, held.signal);
    await this.#judge(concerned, judged, either.signal);
  }

  async #judge(
    findings: readonly Finding[],
    judged: ReadonlySet<RuleName>,
    signal: AbortSignal,
  ): Promise<void> {
    const page = await this.#book.load();
    const now = await this.#options.broker.time();
    if (signal.aborted) return;
    await this.#book.forgetMutes(page.mutes, now);
    const kept = new Map(page.alerts.map((alert) => [keyOf(alert), alert]));
    const found = new Map(findings.map((finding) => [keyOf(finding), finding]));
    const entries = [
      ...this.#found(found, kept, now),
      ...this.#notFound(found, kept, judged, now),
    ];
    const made = await this.#book.put(entries);
    const changes: Entry[] = [];
    for (const [at, entry] of entries.entries()) {
      const { before, after } = entry;
      const key = keyOf((after ?? before) as AlertFacts);
      const now = made[at];
      // Somebody else judges too: the next look says what is the case.
      if (now === "changed") kept.delete(key);
      else {
        if (now) kept.set(key, now);
        else kept.delete(key);
        changes.push(entry);
      }
    }
    this.#tellLog(changes);
    const alerts = [...kept.values()].filter(({ rule }) => rule !== "dlq_depth" && this.#rules.has(rule));
    this.#firing = this.#count(alerts);
    const telling = await this.#loaded();
    await telling.tell({ alerts, mutes: page.mutes, now, renewed: this.#renewal(found, now) }, signal);
  }

  /** What changes by what was found. */
  *#found(
    found: ReadonlyMap<string, Finding>,
    kept: ReadonlyMap<string, KeptAlert>,
    now: number,
  ): Generator<Entry> {
    const monotonic = this.#options.clock.monotonic();
    let room = MOST_KEPT - kept.size;
    let full = false;
    for (const [key, finding] of found) {
      const settings = this.#rules.get(finding.rule);
      if (!settings) continue;
      const before = kept.get(key);
      this.#missing.delete(key);
      this.#adopt(finding, before, settings, now);
      const heldMs = this.#watch.heldMs(finding, monotonic);
      const after = judge({ finding, before, settings, heldMs, now });
      if (after === before) continue;
      if (!before && --room < 0) {
        // What is kept is judged all the same: where nothing of it ended there would never be room again.
        full = true;
        continue;
      }
      yield { before, after };
    }
    if (full && !this.#full) log.warn("alerts.too_many", { kept: kept.size });
    this.#full = full;
  }

  /** What was kept by the process before may have begun before this one looked. */
  #adopt(finding: Finding, before: KeptAlert | undefined, settings: RuleSettings, now: number): void {
    const key = keyOf(finding);
    if (finding.holds === undefined || this.#adopted.has(key)) return;
    this.#adopted.add(key);
    if (!before || before.state === "resolved" || before.mark !== finding.mark) return;
    const longEnough = before.state === "firing" ? settings.lastsSeconds * 1000 : 0;
    const { clock } = this.#options;
    this.#watch.adopt(finding, Math.max(longEnough, now - before.since, 0), clock.monotonic());
  }

  /** What is kept of which nothing was found: its rule or its subject is no more. */
  *#notFound(
    found: ReadonlyMap<string, Finding>,
    kept: ReadonlyMap<string, KeptAlert>,
    judged: ReadonlySet<RuleName>,
    now: number,
  ): Generator<Entry> {
    const monotonic = this.#options.clock.monotonic();
    for (const key of this.#missing.keys()) if (!kept.has(key)) this.#missing.delete(key);
    for (const key of this.#adopted) if (!found.has(key)) this.#adopted.delete(key);
    for (const [key, before] of kept) {
      const { rule, subject, since } = before;
      if (found.has(key) || rule === "dlq_depth") continue;
      const settings = this.#rules.get(rule);
      if (!settings) {
        if (now - since > FOREIGN_FOR_MS) yield { before, after: undefined };
        continue;
      }
      let why = "The rule is off";
      if (settings.enabled && settings.isAbout(subject)) {
        if (!judged.has(rule as RuleName)) continue;
        const missing = this.#missing.get(key) ?? monotonic;
        this.#missing.set(key, missing);
        if (monotonic - missing < GONE_AFTER_MS) continue;
        const isLost = rule === ("worker_lost" satisfies RuleName);
        if (isLost && now - since < LOST_FOR_MS) continue;
        why = isLost ? "It is told no longer" : "It is not there any more";
      }
      const after = over(before, now, why);
      if (after !== before) yield { before, after };
    }
  }

  /** As it is now, where it is known. */
  #renewal(found: ReadonlyMap<string, Finding>, now: number): (alert: KeptAlert) => AlertFacts {
    const monotonic = this.#options.clock.monotonic();
    return (alert) => {
      const finding = found.get(keyOf(alert));
      const heldMs = finding && this.#watch.heldMs(finding, monotonic);
      if (!finding || heldMs === undefined) return alert;
      const { value, text } = factsOf({ finding, heldMs, threshold: alert.threshold, now });
      return { ...alert, value, text };
    };
  }

  /** Zero too, of the rules that are on: a line in a chart does not end where all is well. */
  #count(alerts: readonly KeptAlert[]): ReadonlyMap<string, number> {
    const on = [...this.#rules].filter(([rule, { enabled }]) => enabled && rule !== "dlq_depth");
    const counts = new Map(on.map(([rule]) => [rule, 0]));
    for (const { rule, state } of alerts) {
      if (state === "firing") counts.set(rule, (counts.get(rule) ?? 0) + 1);
    }
    return counts;
  }

  #concerns({ rule, subject }: Finding): boolean {
    const settings = this.#rules.get(rule);
    return settings !== undefined && settings.enabled && settings.isAbout(subject);
  }

  #tellLog(changes: readonly Entry[]): void {
    let lines = 0;
    for (const { before, after } of changes) {
      const isFiring = after?.state === "firing";
      if (!isFiring && before?.state !== "firing") continue;
      this.#counters[isFiring ? "fired" : "resolved"]++;
      if (lines++ >= MOST_LINES) continue;
      const { rule, subject, value, threshold, text } = (after ?? before) as AlertFacts;
      const facts = { rule, subject, value, threshold, text };
      if (isFiring) log.warn("alert.firing", facts);
      else log.info("alert.resolved", facts);
    }
    if (lines > MOST_LINES) log.warn("alert.more", { alerts: lines - MOST_LINES });
  }

  async #loaded(): Promise<Telling> {
    const { channels, repeatSeconds, clock, observer } = this.#options;
    return this.#telling ??= new Telling({
      ...{ book: this.#book, channels: await channels(), repeatSeconds, clock, observer },
    });
  }
}

/** As it is kept. */
function shortened(finding: Finding): Finding {
  if (finding.subject.length <= LONGEST_SUBJECT) return finding;
  return { ...finding, subject: finding.subject.slice(0, LONGEST_SUBJECT), text: finding.text };
}
