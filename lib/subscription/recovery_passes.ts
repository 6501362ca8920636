/**
 * Tries again what has failed in the event store, pass by pass (wire 4.6, S60): each message once a pass, and
 * after `max_retries` of them it is given up.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { BaseEventStore, StoredEvent } from "../adapters/ports.ts";
import { every } from "../async/every.ts";
import { asError, ProteanError } from "../errors.ts";
import { reporting, type WorkReporter } from "../status/work_health.ts";
import type { FailedMessage } from "../status/store_progress.ts";
import { admitSuspect } from "./admit_suspect.ts";
import type { Delivery } from "./delivery.ts";
import type { FailedSource } from "./event_store_source.ts";
import type { FailedPositions } from "./failed_positions.ts";
import type { Lane } from "./lane.ts";
import type { SubscriptionScope } from "./scope.ts";
import { storedEntry } from "./stored_message.ts";

const log = getLogger(["protean", "subscription"]);

export interface RecoveryPassesParts {
  readonly scope: SubscriptionScope;
  readonly store: BaseEventStore;
  readonly category: string;
  readonly failures: FailedPositions;
  readonly lane: Lane<Delivery>;
  readonly source: FailedSource;
  /** Whether a message is worked on already, by whichever lane. */
  readonly isAtWork: (position: number) => boolean;
  /** Seconds between two passes; undefined: there are none. */
  readonly intervalSeconds: number | undefined;
  /** Called at the beginning of each pass: an operator may have recorded what is to become of a message. */
  readonly begins: () => Promise<void>;
  /** Called at the end of each pass. */
  readonly ended: () => Promise<void>;
  readonly work: WorkReporter;
}

export class RecoveryPasses {
  readonly #parts: RecoveryPassesParts;

  constructor(parts: RecoveryPassesParts) {
    this.#parts = parts;
  }

  /** A pass at once, and then in their time, until `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { intervalSeconds, scope: { clock } } = this.#parts;
    if (intervalSeconds === undefined) return;
    await this.#pass(signal);
    await every(clock, intervalSeconds * 1000, signal, () => this.#pass(signal));
  }

  async #pass(signal: AbortSignal): Promise<void> {
    const { failures, isAtWork, work, scope: { name, settings } } = this.#parts;
    try {
      await this.#parts.begins();
      for (const message of failures.due(settings.retryDelaySeconds * 1000)) {
        await this.#room(signal);
        if (signal.aborted) return;
        if (!isAtWork(message.position)) await reporting(work, this.#retry(message));
      }
      await this.#parts.ended();
    } catch (error) {
      // The next pass takes it up; the read loop tells of a store that is away.
      log.debug("subscription.recovery_deferred", { subscription: name, error: asError(error).message });
    }
  }

  async #room(signal: AbortSignal): Promise<void> {
    const { inbox, pause } = this.#parts.scope;
    while ((inbox.overfull || pause.on) && !signal.aborted) await inbox.changed.wait({ signal });
  }

  async #retry(message: FailedMessage): Promise<void> {
    const { lane, source, scope: { settings, inbox, figures, name } } = this.#parts;
    const { retryCount } = message;
    const event = await this.#read(message);
    if (!event) return await this.#gone(message);
    const isOver = retryCount >= settings.maxRetries;
    source.begin(isOver ? message : { ...message, retryCount: retryCount + 1 });
    if (!isOver) figures.happened("retried");
    const admit = admitSuspect(inbox);
    inbox.addClaimed(lane, [{ ...storedEntry(event), count: retryCount + 1 }], (delivery) => {
      // Its outcome is what is left: its handler is not called.
      if (isOver) delivery.verdict = { kind: "poison", error: retriesUsedUp(name, message) };
      admit(delivery);
    });
  }

  /** Where it was when it failed; by its global position where that was not recorded. */
  async #read({ position, stream, streamPosition }: FailedMessage): Promise<StoredEvent | undefined> {
    const { store, category } = this.#parts;
    if (stream?.includes("-") && streamPosition !== undefined) {
      const [event] = await store.read(stream, { from: streamPosition, limit: 1 });
      if (event?.position === streamPosition) return event;
    }
    const [event] = await store.read(category, { from: position, limit: 1 });
    return event?.globalPosition === position ? event : undefined;
  }

  /** The store does not hold it any more. */
  async #gone(message: FailedMessage): Promise<void> {
    const { failures, category, scope: { figures, runner } } = this.#parts;
    await failures.exhausted(message);
    figures.happened("trimmed");
    log.error("subscription.failed_message_gone", {
      ...{ handler: runner.name, stream: category, entry: String(message.position), message_id: message.id },
    });
  }
}

function retriesUsedUp(name: string, { id, retryCount }: FailedMessage): ProteanError {
  return new ProteanError(
    `Message '${id}' has failed, and again in ${retryCount} recovery passes of ${name}: its error is in the log.`,
  );
}
