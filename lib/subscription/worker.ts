/**
 * What happens to one delivery: judged, put in order, counted, run, and then acknowledged, retried or dead-lettered.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { abortable } from "../async/abort.ts";
import { type Random, retryDelay } from "../async/backoff.ts";
import type { Clock } from "../async/clock.ts";
import type { HandlerRunner, Verdict } from "../domain/handler_port.ts";
import { asError, GroupMissingError, ProteanError, RefusedError, UnavailableError } from "../errors.ts";
import { originalText, parseDeadLetter, renderDeadLetter } from "../message/dead_letter.ts";
import { errorLine } from "../message/describe_error.ts";
import { decodeMessage } from "../message/envelope.ts";
import { deadLetterStream } from "../message/names.ts";
import type { Delivery, SubscriptionCounters } from "./delivery.ts";
import type { Inbox } from "./inbox.ts";
import type { SubscriptionSettings } from "./settings/resolve.ts";

const log = getLogger(["protean", "subscription"]);

/**
 * A database or broker that is away is not the message's fault: such failures are retried without counting, this often at the
 * most, so that a message that breaks its backend every time still ends in the dead-letter stream.
 */
const UNAVAILABLE_RETRIES = 20;

export interface WorkerParts {
  readonly runner: HandlerRunner;
  readonly inbox: Inbox;
  readonly settings: SubscriptionSettings;
  readonly counters: SubscriptionCounters;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborts when nothing may be started any more (DRN-2). */
  readonly stopped: AbortSignal;
  /** Resolves when a message that this process is publishing may be handled here; undefined: at once. Never rejects. */
  readonly published: (messageId: string) => Promise<void> | undefined;
  /** Takes the acknowledgement of a finished delivery; resolves at once where it travels with the next read. */
  readonly acknowledge: (delivery: Delivery) => Promise<void> | void;
}

export class Worker {
  readonly #parts: WorkerParts;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
  }

  /** Works on one delivery until it has an outcome or waits for something. Never rejects. */
  async deliver(delivery: Delivery): Promise<void> {
    const { runner, inbox } = this.#parts;
    try {
      if (delivery.verdict) return await this.#deadLetter(delivery, delivery.verdict);
      if (!delivery.message && (delivery.skip || !this.admit(delivery))) return await this.#skip(delivery);
      if (!delivery.inside && !inbox.enter(delivery)) return;
      const publishing = delivery.message && this.#parts.published(delivery.message.metadata.headers.id);
      if (publishing && !await this.#outlast(publishing, delivery)) return;
      if ((delivery.started || delivery.recovered) && !await this.#mayStart(delivery)) return;
    } catch (error) {
      return this.#brokerFailed(delivery, asError(error));
    }
    const message = delivery.message;
    if (!message) return;
    delivery.started = true;
    delivery.stage = "running";
    let result: "handled" | "duplicate";
    try {
      result = await runner.run(message, delivery.plan, delivery);
    } catch (error) {
      return await this.#failed(delivery, asError(error));
    }
    if (delivery.abandoned) return;
    if (result === "handled") this.#parts.counters.handled++;
    else this.#parts.counters.duplicates++;
    await this.#finish(delivery);
  }

  /**
   * Decodes and judges. True: the handler wants it, and `message`, `plan` and `key` are set. False: `#skip` knows what to do.
   */
  admit(delivery: Delivery): boolean {
    const verdict = this.#judge(delivery);
    if (verdict.kind === "run") {
      delivery.plan = verdict.plan;
      return true;
    }
    delivery.skip = verdict;
    return false;
  }

  #judge(delivery: Delivery): Verdict {
    try {
      const message = decodeMessage(textOf(delivery));
      const { id, stream } = message.metadata.headers;
      delivery.key = stream || delivery.id;
      if (id === "") {
        const first = firstPlace(delivery);
        delivery.source = `${first.stream}/${first.id}`;
      }
      const verdict = this.#parts.runner.judge(message);
      if (verdict.kind === "run") delivery.message = message;
      return verdict;
    } catch (error) {
      return { kind: "poison", error: asError(error) };
    }
  }

  async #skip(delivery: Delivery): Promise<void> {
    const verdict = delivery.skip;
    if (verdict?.kind === "poison") return await this.#deadLetter(delivery, verdict.error);
    if (verdict?.kind === "ignored") this.#parts.counters.ignored++;
    if (verdict?.kind === "foreign") this.#parts.counters.foreign++;
    if (verdict?.kind === "expired") this.#parts.counters.expired++;
    await this.#finish(delivery);
  }

  /** Answers whether it may still be started then. */
  async #outlast(publishing: Promise<void>, delivery: Delivery): Promise<boolean> {
    const { stopped } = this.#parts;
    // It rejects with the stop alone, which is looked at next.
    await abortable(publishing, stopped).catch(() => {});
    if (stopped.aborted) return false;
    return delivery.lost ? this.#lost(delivery) : true;
  }

  /** Every start after the first is counted first, by the broker, if the entry is still ours (delivery 2). */
  async #mayStart(delivery: Delivery): Promise<boolean> {
    const { settings, counters, runner, stopped } = this.#parts;
    const { group } = delivery.batch;
    if (!delivery.started && delivery.count >= settings.maxDeliveries) {
      const reason =
        `The message was started ${delivery.count} times by ${runner.name} without an outcome, so it probably kills its process: see its attempts in the log, then replay it.`;
      await this.#deadLetter(delivery, new ProteanError(reason, { code: "DELIVERIES_EXCEEDED" }));
      return false;
    }
    // A repetition after an outage is counted already, and so is a start that the end of the subscription came before.
    const counted = delivery.counted;
    if (counted) {
      if ((await group.refresh([delivery.id])).length > 0) return this.#lost(delivery);
    } else {
      const count = await group.attempt(delivery.id);
      if (count === undefined) return this.#lost(delivery);
      delivery.count = count;
      delivery.counted = true;
    }
    if (stopped.aborted) return false;
    if (delivery.lost) return this.#lost(delivery);
    delivery.counted = false;
    if (delivery.started && !counted) counters.retried++;
    return true;
  }

  async #failed(delivery: Delivery, error: Error): Promise<void> {
    const { settings, counters, inbox, random, runner } = this.#parts;
    if (delivery.abandoned) return;
    if (delivery.lost) return void this.#lost(delivery);
    // Cut by the drain: not an attempt. It stays `running`, and is released with the count it had before.
    if (delivery.cut) return;
    counters.failed++;
    delivery.firstFailedAt ??= this.#parts.clock.now();
    const facts = {
      handler: runner.name,
      stream: delivery.batch.group.stream,
      entry: delivery.id,
      message_id: delivery.message?.metadata.headers.id,
      attempt: delivery.count,
      error: errorLine(error),
    };
    if (isOutage(error) && delivery.unavailable < UNAVAILABLE_RETRIES) {
      delivery.unavailable++;
      delivery.counted = true;
      const wait = retryDelay(
        delivery.unavailable,
        Math.max(settings.retryDelaySeconds, 0.1),
        settings.retryMaxDelaySeconds,
        random,
      );
      log.warn("subscription.backend_unavailable", { ...facts, retry_in_ms: Math.round(wait) });
      return inbox.defer(delivery, wait);
    }
    if (delivery.count >= Math.max(1, settings.maxRetries)) return await this.#deadLetter(delivery, error);
    const wait = retryDelay(
      delivery.count,
      settings.retryDelaySeconds,
      settings.retryMaxDelaySeconds,
      random,
    );
    log.warn("subscription.retry_scheduled", { ...facts, retry_in_ms: Math.round(wait) });
    inbox.defer(delivery, wait);
  }

  /** The entry leaves the stream only into the dead-letter stream, in one step (G4); where that fails it is tried again. */
  async #deadLetter(delivery: Delivery, error: Error): Promise<void> {
    const { settings, runner, counters, inbox, clock } = this.#parts;
    const { group } = delivery.batch;
    const facts = {
      handler: runner.name,
      stream: group.stream,
      entry: delivery.id,
      attempts: delivery.count,
      error: errorLine(error),
    };
    if (!settings.enableDlq) {
      counters.discarded++;
      log.warn("subscription.discarding", facts);
      return await this.#finish(delivery);
    }
    delivery.verdict = error;
    const first = firstPlace(delivery);
    const replayed = first.stream !== group.stream;
    const text = renderDeadLetter(delivery.text, {
      originalStream: first.stream,
      originalId: first.id,
      consumerGroup: group.group,
      consumer: group.consumer,
      handler: runner.name,
      failedAt: clock.now(),
      // A replayed entry keeps the time of its very first failure.
      ...(delivery.firstFailedAt === undefined || replayed ? {} : { firstFailedAt: delivery.firstFailedAt }),
      retryCount: delivery.count,
      error,
    });
    try {
      inbox.closing(delivery);
      if (!await group.deadLetter(delivery.id, deadLetterStream(first.stream), text)) {
        return void this.#lost(delivery);
      }
    } catch (cause) {
      return this.#brokerFailed(delivery, asError(cause));
    }
    counters.deadLettered++;
    log.error("subscription.dead_lettered", facts);
    inbox.decide(delivery);
    inbox.settle(delivery);
  }

  /** A suspect is acknowledged before the next one starts, so that a crash dead-letters one of them and not all (delivery 2). */
  async #finish(delivery: Delivery): Promise<void> {
    const { inbox, acknowledge } = this.#parts;
    if (delivery.suspect) {
      inbox.closing(delivery);
      await acknowledge(delivery);
      inbox.decide(delivery);
    } else {
      inbox.decide(delivery);
      await acknowledge(delivery);
    }
  }

  /** Somebody else has it: false, it may not be started here. */
  #lost(delivery: Delivery): false {
    if (!delivery.lost) this.#parts.counters.lost++;
    this.#parts.inbox.drop(delivery);
    return false;
  }

  /** The broker did not do what we asked: the delivery keeps its place and is tried again. */
  #brokerFailed(delivery: Delivery, error: Error): void {
    const { inbox, random, runner, settings } = this.#parts;
    if (error instanceof GroupMissingError) return void this.#lost(delivery);
    const wait = retryDelay(1, Math.max(0.25, settings.retryDelaySeconds), 5, random);
    // The read loop warns of the outage, once; this comes for every message that waits.
    log.debug("subscription.broker_unavailable", {
      handler: runner.name,
      stream: delivery.batch.group.stream,
      entry: delivery.id,
      error: error.message,
    });
    inbox.defer(delivery, wait);
  }
}

/** True when nothing but backends that are away, or refuse everybody, kept the handler's methods from their work. */
function isOutage(error: unknown): boolean {
  return error instanceof UnavailableError || error instanceof RefusedError ||
    error instanceof AggregateError && error.errors.length > 0 && error.errors.every(isOutage);
}

/** What was delivered; a replayed dead letter is unwrapped, so that it is judged as it was the first time. */
function textOf({ text, batch }: Delivery): string | undefined {
  const { stream } = batch.group;
  return text === undefined || sourceStream(stream) === stream ? text : originalText(text);
}

/** Where the message was read first. A replayed dead letter tells it, however often it was replayed. */
function firstPlace({ id, text, batch }: Delivery): { readonly stream: string; readonly id: string } {
  const stream = sourceStream(batch.group.stream);
  return {
    stream,
    id: stream === batch.group.stream ? id : parseDeadLetter(text, { stream, id }).originalId,
  };
}

/** A replayed message that fails again goes back to the dead letters of its own stream, not of the lane. */
function sourceStream(stream: string): string {
  const lane = stream.indexOf(":replay:");
  return lane < 0 ? stream : stream.slice(0, lane);
}
