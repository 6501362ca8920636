/**
 * What happens to one delivery: judged, put in order, counted, run, and then acknowledged, retried or
 * dead-lettered.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { getLogger } from "@logtape/logtape";
import { abortable } from "../async/abort.ts";
import { retryDelay } from "../async/backoff.ts";
import type { Crowd } from "../async/crowd.ts";
import { Repeats } from "../async/repeats.ts";
import { Sparing } from "../async/sparing.ts";
import { turn } from "../async/turn.ts";
import type { Batching, Verdict } from "../domain/handler_port.ts";
import {
  asError,
  errorsOf,
  GroupMissingError,
  MessageConflictError,
  ProteanError,
  RefusedError,
  UnhandledMessageError,
} from "../errors.ts";
import { renderDeadLetter, summarizeDeadLetter } from "../message/dead_letter.ts";
import { errorLine, logLine } from "../message/describe_error.ts";
import { parseTime } from "../message/time.ts";
import { isBatchable } from "./batch_intake.ts";
import { BatchWork } from "./batch_work.ts";
import { Crew } from "./crew.ts";
import { DeadLetterHook } from "./dead_letter_hook.ts";
import { type Decision, decisionOf, undecided } from "../domain/decision.ts";
import { type Delivery, keyOf } from "./delivery.ts";
import { firstPlace, isLarge, Judge } from "./judge.ts";
import { outageOf } from "./outage.ts";
import type { Ownership } from "./ownership.ts";
import { beginHook, forgetPostponed, hookBegun, mayPostpone, postpone } from "./postponing.ts";
import type { SubscriptionScope } from "./scope.ts";
import { bringText } from "./texts.ts";

const log = getLogger(["protean", "subscription"]);

/** Handlers that never wait must still let probes and sockets have their turn (PERF-6). */
const YIELD_AFTER_MS = 5;

/** Messages that are told one by one in each ten seconds, so that their flood is none of the log. */
const TOLD = { most: 20, everyMs: 10_000 };

/** What every line about a delivery says of it. */
type Where = Readonly<Record<string, string>>;

export class Worker {
  readonly #scope: SubscriptionScope;
  readonly #ownership: Ownership;
  readonly #givenUp: Sparing;
  readonly #retries: Repeats<Readonly<Record<string, unknown>>>;
  readonly #hook: DeadLetterHook;
  readonly #judge: Judge;
  readonly #batches: BatchWork;

  constructor(scope: SubscriptionScope, ownership: Ownership) {
    this.#scope = scope;
    this.#ownership = ownership;
    this.#hook = new DeadLetterHook(scope);
    this.#judge = new Judge(scope);
    this.#batches = new BatchWork(scope, ownership, this.#judge, {
      skip: (delivery, verdict) => this.#skip(delivery, verdict),
      run: (delivery) => this.#handle(delivery),
      publishing: (delivery) => this.#publishing(delivery),
      succeeded: (delivery, kind) => this.#succeeded(delivery, kind),
      failed: (delivery, error) => this.#failed(delivery, error),
      lost: (delivery) => void this.#lost(delivery),
      sourceFailed: (delivery, error) => this.#sourceFailed(delivery, error),
    });
    const { clock, name, settings } = scope;
    const event = settings.enableDlq ? "subscription.dead_lettered" : "subscription.discarding";
    const rest = (more: number) => log.error(`${event}_more`, { subscription: name, more });
    this.#givenUp = new Sparing({ clock, ...TOLD, rest });
    this.#retries = new Repeats({
      clock,
      ...TOLD,
      again: (facts, times) => log.warn("subscription.retry_scheduled", { ...facts, repeated: times }),
      rest: (more) => log.warn("subscription.retry_scheduled_more", { subscription: name, more }),
    });
  }

  /** Tells what it has kept to itself. */
  close(): void {
    this.#givenUp.close();
    this.#retries.close();
  }

  /**
   * Works off the inbox, `most` deliveries at once, until `signal` aborts. Defects alone reject.
   */
  crew(most: number, signal: AbortSignal): Crew {
    const crew: Crew = new Crew(most, () => this.#run(crew, signal));
    return crew;
  }

  /** One delivery after the other. */
  async #run(crew: Crew, signal: AbortSignal): Promise<void> {
    const { inbox, clock, crowd, pause } = this.#scope;
    let since = clock.monotonic();
    while (!signal.aborted) {
      if (pause.on) crew.relieve();
      const tried = pause.on ? await pause.turn(signal) : undefined;
      if (!tried && crowd.full) await crowd.room(clock, signal);
      if (signal.aborted) return;
      const delivery = tried ?? inbox.take();
      if (!delivery) {
        await crew.wait(inbox.changed, signal);
        since = clock.monotonic();
        continue;
      }
      crowd.come();
      delivery.coming = true;
      const delivering = this.deliver(delivery, tried !== undefined);
      // Not before: it has its place in the order before the next one is taken.
      crew.relieve();
      await delivering;
      if (delivery.coming) this.#noLonger(delivery).turnBack();
      if (tried) pause.tried(tried);
      // One that the drain has given up may end much later: nothing of it is wanted then.
      if (delivery.ended === "abandoned") return;
      if (clock.monotonic() - since > YIELD_AFTER_MS) {
        await turn();
        since = clock.monotonic();
      }
    }
  }

  #noLonger(delivery: Delivery): Crowd {
    delivery.coming = false;
    return this.#scope.crowd;
  }

  /**
   * Works on one delivery, and, unless it is to run `alone`, on what may be handled together with it, until it has
   * an outcome or waits for something. Rejects with a defect alone.
   */
  async deliver(delivery: Delivery, alone = false): Promise<void> {
    const { inbox, clock, runner } = this.#scope;
    let { verdict } = delivery;
    let batching: Batching | undefined;
    try {
      if (delivery.parked && !await this.#bring(delivery)) return;
      // What was found pending may have killed its process while it was read: it is counted before it is.
      if ((delivery.attempts.first || isBatchable(delivery)) && !verdict) {
        // A large one has its place in the order before it is read: others have their turn meanwhile.
        if (isLarge(delivery)) delivery.key ||= keyOf(delivery);
        else verdict = this.#judge.atOnce(delivery);
      }
      if (verdict && verdict.kind !== "run") return await this.#skip(delivery, verdict);
      if (!inbox.enter(delivery)) return;
      const early = delivery.notBefore > 0 ? delivery.notBefore - clock.monotonic() : 0;
      if (early > 0) return inbox.backOff(delivery, early);
      if (!alone && verdict && isBatchable(delivery)) batching = runner.batching?.(verdict.plan);
    } catch (error) {
      return this.#sourceFailed(delivery, asError(error));
    }
    if (batching) {
      if (delivery.coming) this.#noLonger(delivery).begin();
      return await this.#batches.deliver(delivery, batching);
    }
    if (await this.#mayHandle(delivery)) await this.#handle(delivery);
  }

  /** Waits until it may be started; returns whether it may. It is inside. */
  async #mayHandle(delivery: Delivery): Promise<boolean> {
    const { stopped } = this.#scope;
    try {
      const publishing = this.#publishing(delivery);
      if (publishing && !await this.#outlast(publishing, delivery)) return false;
      const asking = this.#ownership.assured();
      if (asking && !await this.#outlast(asking, delivery)) return false;
      if (!delivery.attempts.first && !await this.#mayStart(delivery)) return false;
      if (!delivery.verdict) {
        if (isLarge(delivery)) await this.#judge.inTurns(delivery);
        else this.#judge.atOnce(delivery);
        if (stopped.aborted) return false;
        if (delivery.ended === "lost") return this.#lost(delivery);
        const publishing = this.#publishing(delivery);
        if (publishing && !await this.#outlast(publishing, delivery)) return false;
      }
      return true;
    } catch (error) {
      this.#sourceFailed(delivery, asError(error));
      return false;
    }
  }

  /** Its handler runs. */
  async #handle(delivery: Delivery): Promise<void> {
    const { runner, inbox, clock } = this.#scope;
    const { message, verdict } = delivery;
    if (verdict && verdict.kind !== "run") return await this.#skip(delivery, verdict);
    if (!message || !verdict) return;
    inbox.start(delivery);
    if (delivery.coming) this.#noLonger(delivery).begin();
    delivery.startedAt = clock.monotonic();
    let result: "handled" | "duplicate";
    try {
      result = await runner.run(message, verdict.plan, delivery);
    } catch (error) {
      return await this.#failed(delivery, asError(error));
    }
    if (delivery.ended === "abandoned") return;
    // Whoever has it now acknowledges it: this handler may have returned because its signal told it to stop.
    if (delivery.ended === "lost") return void this.#lost(delivery);
    await this.#succeeded(delivery, result);
  }

  #succeeded(delivery: Delivery, result: "handled" | "duplicate"): Promise<void> | void {
    const { pause, figures } = this.#scope;
    pause.succeeded(delivery);
    figures.happened(result === "handled" ? "handled" : "duplicates");
    this.#tell(delivery, result);
    return this.#finish(delivery);
  }

  /** Of a run that succeeded, as far as anybody wants to hear of it. */
  #tell({ startedAt, message }: Delivery, result: "handled" | "duplicate"): void {
    const { observer, clock } = this.#scope;
    if (!observer || observer.sampled?.() === false) return;
    observer.ran?.(clock.monotonic() - startedAt, undefined);
    if (!observer.settled || result === "duplicate") return;
    const time = parseTime(message?.metadata.headers.time ?? null);
    if (time !== undefined) observer.settled(clock.now() - time);
  }

  async #skip(delivery: Delivery, verdict: Exclude<Verdict, { kind: "run" }>): Promise<void> {
    if (verdict.kind === "poison") return await this.#deadLetter(delivery, verdict.error);
    // In a group that another program shares, what is not for us may be for it (delivery 5).
    const isShared = this.#scope.runner.sharedGroup && !delivery.batch.lane.source.setAside;
    if (verdict.kind !== "expired" && isShared) return await this.#handOver(delivery);
    const { figures, observer } = this.#scope;
    figures.happened(verdict.kind);
    if (verdict.kind === "expired" && observer?.expired) {
      observer.expired(summarizeDeadLetter(delivery.text).messageType ?? "unknown");
    }
    await this.#finish(delivery);
  }

  /** Nothing is acknowledged unhandled in a shared group: the other program is given it, else it is kept. */
  async #handOver(delivery: Delivery): Promise<void> {
    const { inbox, figures, settings } = this.#scope;
    const { source } = delivery.batch.lane;
    inbox.closing(delivery);
    try {
      // Handed over and found again that often: nobody there handles it either.
      const isHopeless = delivery.attempts.recovered && delivery.attempts.count >= settings.maxDeliveries;
      const outcome = isHopeless ? "nobody" : await source.handOver(delivery.id);
      if (outcome === "nobody") return await this.#deadLetter(delivery, this.#unhandled(delivery));
      if (outcome === "lost") return void this.#lost(delivery);
    } catch (error) {
      return this.#sourceFailed(delivery, asError(error));
    }
    figures.happened("handedOver");
    inbox.drop(delivery);
  }

  #unhandled({ text }: Delivery): ProteanError {
    const { runner } = this.#scope;
    const { messageType } = summarizeDeadLetter(text);
    return new UnhandledMessageError(
      `${runner.name} does not handle ${
        messageType ?? "this type"
      }, and no other program of the shared group ` +
        `'${runner.group}' was there to take it: handle it here, or replay it once the other one runs.`,
    );
  }

  /** Brings its text, which was let go while it waited; returns whether it may still be worked on then. */
  async #bring(delivery: Delivery): Promise<boolean> {
    const { inbox, stopped } = this.#scope;
    const { id, batch: { lane: { source } } } = delivery;
    const found = await bringText(inbox, delivery);
    if (stopped.aborted) return false;
    if (delivery.ended === "lost") return this.#lost(delivery);
    if (found) return true;
    // The stream does not hold it any more: touched, it leaves the pending list.
    await source.refresh([id]);
    return this.#lost(delivery);
  }

  /** What a message has to wait for that this process is publishing; undefined as a rule. */
  #publishing({ message }: Delivery): Promise<void> | undefined {
    return message && this.#scope.published(message.metadata.headers.id);
  }

  /** Returns whether it may still be started when `work` has ended. Rejects when that does. */
  async #outlast(work: Promise<void>, delivery: Delivery): Promise<boolean> {
    const { stopped } = this.#scope;
    await abortable(work, stopped).catch((error) => {
      if (!stopped.aborted) throw error;
    });
    if (stopped.aborted) return false;
    return delivery.ended === "lost" ? this.#lost(delivery) : true;
  }

  /** Every start after the first is counted first, by the source, if the entry is still ours (delivery 2). */
  async #mayStart(delivery: Delivery): Promise<boolean> {
    const { settings, figures, runner, stopped } = this.#scope;
    const { id, attempts, batch: { lane: { source } } } = delivery;
    if (!attempts.mayCount(settings.maxDeliveries)) {
      // The hook may be what kills its process: it has one try.
      const isTold = hookBegun(delivery);
      if (runner.onDeadLetter && !isTold && !await beginHook(delivery)) return this.#lost(delivery);
      const reason =
        `The message was started ${attempts.count} times by ${runner.name} without an outcome, ` +
        "so it probably kills its process: see its attempts in the log, then replay it.";
      await this.#deadLetter(delivery, new ProteanError(reason, { code: "DELIVERIES_EXCEEDED" }), isTold);
      return false;
    }
    const { retries } = attempts;
    if (attempts.counted) {
      if ((await source.refresh([id])).length > 0) return this.#lost(delivery);
    } else {
      const count = await source.attempt(id);
      if (count === undefined) return this.#lost(delivery);
      attempts.countedAs(count);
    }
    if (stopped.aborted) return false;
    if (delivery.ended === "lost") return this.#lost(delivery);
    if (retries) figures.happened("retried");
    return true;
  }

  async #failed(delivery: Delivery, error: Error): Promise<void> {
    const { settings, figures, observer, inbox, random, clock, pause } = this.#scope;
    const { attempts, ended } = delivery;
    if (ended === "lost") return void this.#lost(delivery);
    // Cut by the drain: not an attempt. It stays `running`, and is released with the count it had before.
    if (ended) return;
    observer?.ran?.(clock.monotonic() - delivery.startedAt, error);
    const decision = decisionOf(error);
    const decided = decision && await this.#decided(delivery, decision, error);
    if (decided) return;
    figures.happened("failed");
    delivery.firstFailedAt ??= clock.now();
    const where = this.#where(delivery);
    const facts = { ...where, attempt: attempts.count, error: logLine(error) };
    // The handler may have changed what it was given.
    delivery.forget();
    log.debug("subscription.attempt_failed", { ...facts, error: errorLine(error) });
    const outage = outageOf(undecided(error));
    if (outage) {
      if (pause.failed(delivery, outage, facts)) return;
    } else if (delivery.batch.lane.source.halt) pause.over(delivery);
    else pause.faulted(delivery);
    const { source } = delivery.batch.lane;
    const isOver = isFinal(error) || source.isGivenUpAtOnce === true;
    if (source.setAside && !isOver) return await this.#setAside(delivery, error, false, where);
    const isLast = isOver || attempts.count >= Math.max(1, settings.maxRetries);
    if (isLast) return await this.#deadLetter(delivery, error, false, where);
    const wait = retryDelay(
      attempts.count,
      settings.retryDelaySeconds,
      settings.retryMaxDelaySeconds,
      random,
    );
    const scheduled = { ...facts, retry_in_ms: Math.round(wait) };
    if (this.#retries.isFirst(delivery.id, scheduled)) log.warn("subscription.retry_scheduled", scheduled);
    inbox.backOff(delivery, wait);
  }

  /** Which delivery a line of the log is about, and of which trace; asked while it has its message. */
  #where({ message, id, batch: { lane } }: Delivery): Where {
    const { id: message_id, traceparent } = message?.metadata.headers ?? {};
    return {
      ...{ handler: this.#scope.runner.name, stream: lane.name, entry: id },
      ...(message_id !== undefined && { message_id }),
      ...(traceparent && { trace_id: traceparent.trace_id }),
    };
  }

  /** The handler has said what is to be done. False: it has said so too often, and failed. */
  async #decided(delivery: Delivery, decision: Decision, error: Error): Promise<boolean> {
    const { figures, pause, reasons, runner, clock } = this.#scope;
    const { kind, reason } = decision;
    if (kind === "retry_after") {
      if (!mayPostpone(delivery)) return false;
      delivery.forget();
      pause.over(delivery);
      figures.happened("postponed");
      log.debug("subscription.postponed", {
        ...{ handler: runner.name, entry: delivery.id, reason },
        ...{ ms: decision.ms, times: delivery.attempts.postponed + 1 },
      });
      if (!await postpone(this.#scope, delivery, decision.ms)) this.#lost(delivery);
      return true;
    }
    pause.decided(delivery);
    if (kind === "discard") {
      figures.happened("declined");
      reasons.count(reason);
      log.debug("subscription.declined", { handler: runner.name, entry: delivery.id, reason });
      await this.#finish(delivery);
      return true;
    }
    delivery.firstFailedAt ??= clock.now();
    await this.#deadLetter(delivery, error);
    return true;
  }

  /**
   * The entry leaves its source only into the dead letters, in one step (G4); where that fails it is tried
   * again.
   */
  async #deadLetter(
    delivery: Delivery,
    error: Error,
    isTold = false,
    where: Where = this.#where(delivery),
  ): Promise<void> {
    const { settings, runner, consumer, figures, clock } = this.#scope;
    const { lane } = delivery.batch;
    const { count } = delivery.attempts;
    const facts = { ...where, attempts: count, error: logLine(error) };
    log.debug("subscription.giving_up", { ...facts, error: errorLine(error) });
    // Unless its handler has said that it belongs to the dead letters.
    if (lane.source.halt && !decisionOf(error)) return await this.#halt(delivery, error, where);
    if (!settings.enableDlq && !lane.source.setAside) {
      figures.happened("discarded");
      if (this.#givenUp.allows()) log.warn("subscription.discarding", facts);
      return await this.#finish(delivery);
    }
    delivery.verdict = { kind: "poison", error };
    const { firstFailedAt } = delivery;
    const first = firstPlace(delivery);
    if (isLarge(delivery)) await turn();
    const text = renderDeadLetter(delivery.text, {
      originalStream: first.stream,
      originalId: first.id,
      consumerGroup: lane.source.group,
      consumer,
      handler: runner.name,
      failedAt: clock.now(),
      // A replayed entry keeps the time of its very first failure.
      ...(firstFailedAt === undefined || lane.kind === "replay" ? {} : { firstFailedAt }),
      retryCount: count,
      error,
      // Where the whole cannot be written, for whatever reason, its beginning can.
      truncated: delivery.truncated ?? (delivery.faulted ? { bytes: byteLength(delivery.text) } : undefined),
    });
    if (!isTold && !await this.#hook.run(delivery, text)) {
      return delivery.ended === "lost" ? void this.#lost(delivery) : undefined;
    }
    if (lane.source.setAside) return await this.#setAside(delivery, error, true, where);
    if (!await this.#concluded(delivery, () => lane.source.reject(delivery.id, text))) return;
    figures.happened("deadLettered");
    if (this.#givenUp.allows()) log.error("subscription.dead_lettered", facts);
  }

  /** The source keeps that it has failed (wire 4.6); what comes behind it goes on. */
  async #setAside(delivery: Delivery, error: Error, isFinal: boolean, where: Where): Promise<void> {
    const { figures } = this.#scope;
    const { source } = delivery.batch.lane;
    // Only that is tried again, where it fails.
    delivery.verdict = { kind: "poison", error };
    if (!await this.#concluded(delivery, () => source.setAside?.(delivery.id, isFinal))) return;
    figures.happened(isFinal ? "exhausted" : "setAside");
    const facts = { ...where, stream: source.name, error: logLine(error) };
    if (this.#givenUp.allows()) {
      if (isFinal) log.error("subscription.exhausted", facts);
      else log.warn("subscription.set_aside", facts);
    }
  }

  /** A key stands still at what has failed for good: what follows it must not overtake it (wire 2.11). */
  async #halt(delivery: Delivery, error: Error, where: Where): Promise<void> {
    const { figures } = this.#scope;
    const { id, attempts: { count }, batch: { lane } } = delivery;
    delivery.verdict = { kind: "poison", error };
    if (!await this.#concluded(delivery, () => lane.source.halt?.(id, count, error))) return;
    figures.happened("halted");
    const facts = { ...where, attempts: count, error: logLine(error) };
    if (this.#givenUp.allows()) log.error("subscription.partition_halted", facts);
  }

  /**
   * Has the source keep an outcome that is no success, which ends the delivery. False: somebody else has it by
   * now, or the source did not do it, and it is tried again.
   */
  async #concluded(delivery: Delivery, keep: () => Promise<boolean> | undefined): Promise<boolean> {
    const { inbox } = this.#scope;
    try {
      inbox.closing(delivery);
      if (await keep() === false) return this.#lost(delivery);
      await forgetPostponed(this.#scope, delivery);
    } catch (cause) {
      this.#sourceFailed(delivery, asError(cause));
      return false;
    }
    inbox.decide(delivery);
    inbox.settle(delivery);
    return true;
  }

  /** Frees its place in the order, and acknowledges. */
  #finish(delivery: Delivery): Promise<void> | void {
    if (delivery.suspect || delivery.attempts.postponed > 0) return this.#finishNow(delivery);
    this.#scope.inbox.decide(delivery);
    return delivery.batch.lane.acknowledge(delivery, false);
  }

  /**
   * A suspect is acknowledged before the next one starts, so that a crash dead-letters one of them and not all
   * (delivery 2); one that was postponed, before that is forgotten.
   */
  async #finishNow(delivery: Delivery): Promise<void> {
    const { inbox } = this.#scope;
    inbox.closing(delivery);
    await delivery.batch.lane.acknowledge(delivery, true);
    await forgetPostponed(this.#scope, delivery);
    inbox.decide(delivery);
  }

  /** Somebody else has it: false, it may not be started here. */
  #lost(delivery: Delivery): false {
    const { figures, inbox, pause } = this.#scope;
    if (delivery.ended !== "lost") figures.happened("lost");
    pause.over(delivery);
    inbox.drop(delivery);
    return false;
  }

  /** The source did not do what we asked: the delivery keeps its place and is tried again. */
  #sourceFailed(delivery: Delivery, error: Error): void {
    const { inbox, random, runner, settings, figures } = this.#scope;
    if (error instanceof GroupMissingError) return void this.#lost(delivery);
    const wait = retryDelay(1, Math.max(0.25, settings.retryDelaySeconds), 5, random);
    const facts = {
      handler: runner.name,
      stream: delivery.batch.lane.name,
      entry: delivery.id,
      error: error.message,
    };
    // The read loop warns of an outage, once; this comes for every message that waits. What is refused while
    // reading goes on is told by nobody else (D21), and anything else is a failure of this one's own.
    if (!outageOf(error)) {
      if (!delivery.faulted) {
        delivery.faulted = true;
        figures.happened("failed");
        log.error("subscription.outcome_failed", { ...facts, error: errorLine(error) });
      }
    } else if (error instanceof RefusedError && !delivery.refused) {
      delivery.refused = true;
      log.warn("subscription.broker_refused", facts);
    } else log.debug("subscription.broker_unavailable", facts);
    inbox.defer(delivery, wait);
  }
}

/** True when trying again changes nothing: of none of the handler's methods. */
function isFinal(error: Error): boolean {
  if (!(error instanceof AggregateError)) return error instanceof MessageConflictError;
  const several = errorsOf(error);
  const isOver = (one: Error) =>
    one instanceof MessageConflictError || decisionOf(one)?.kind === "dead_letter";
  return several.length > 0 && several.every(isOver);
}

function byteLength(text: string | undefined): number {
  return Buffer.byteLength(text ?? "");
}
