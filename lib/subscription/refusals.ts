/**
 * What a backend refuses some messages while it does what others ask: a right to one table is missing, or one
 * table is. They wait by themselves, uncounted, while the others go on: of those refused for the same reason
 * one at a time is tried every few seconds, and with the first that succeeds all of them go on.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { type Random, retryDelay } from "../async/backoff.ts";
import type { Clock } from "../async/clock.ts";
import type { Backend } from "../domain/backends.ts";
import type { RefusedError } from "../errors.ts";
import { unheard, type WorkHealth, type WorkReporter } from "../status/work_health.ts";
import type { Delivery } from "./delivery.ts";
import type { Inbox } from "./inbox.ts";

const log = getLogger(["protean", "subscription"]);

/** Between two tries, doubled from the first to the last: the end is seen within five seconds. */
export const FIRST_TRY_SECONDS = 0.25;
export const LAST_TRY_SECONDS = 3;

export interface RefusalsParts {
  /** As logs name the subscription. */
  readonly name: string;
  readonly inbox: Inbox;
  readonly clock: Clock;
  readonly random: Random;
  /** Told of each refusal by itself: what others commit does not end it. @default nobody is told */
  readonly health?: WorkHealth | undefined;
}

/** Those that were refused for one reason. */
interface Group {
  readonly reason: string;
  readonly backend: Backend | undefined;
  readonly reporter: WorkReporter;
  /** Monotonic. */
  readonly since: number;
  /** All of them, wherever they are. */
  readonly members: Set<Delivery>;
  /** Of these, those that wait here. */
  readonly waiting: Set<Delivery>;
  /** The one that is tried. */
  trying: Delivery | undefined;
  tries: number;
  /** Somebody else has done work with the backend since it was first refused. */
  beside: boolean;
  cancel: (() => void) | undefined;
}

export class Refusals {
  readonly #parts: RefusalsParts;
  readonly #groups = new Map<string, Group>();
  readonly #groupOf = new Map<Delivery, Group>();
  #closed = false;

  constructor(parts: RefusalsParts) {
    this.#parts = parts;
  }

  /**
   * Notes that a delivery was refused. Returns whether others get on with the same backend, so that it is no
   * outage.
   */
  refused(delivery: Delivery, error: RefusedError, backend: Backend | undefined, againInMs: number): boolean {
    const reason = reasonOf(error);
    const before = this.#groupOf.get(delivery);
    if (before && before.reason !== reason) this.forget(delivery);
    const group = this.#groups.get(reason) ?? this.#begin(reason, backend);
    group.members.add(delivery);
    this.#groupOf.set(delivery, group);
    if (group.trying === delivery) {
      group.trying = undefined;
      group.tries++;
    }
    group.reporter.unavailable(error.message, againInMs);
    return group.beside;
  }

  /** A delivery that was refused waits here, uncounted, until it is its turn or another has succeeded. */
  wait(delivery: Delivery): void {
    const group = this.#groupOf.get(delivery);
    if (!group || this.#closed) return;
    delivery.attempts.repeat();
    this.#parts.inbox.rest(delivery);
    group.waiting.add(delivery);
    this.#arm(group);
  }

  /** Its handler run was committed: what it has used does not refuse everybody. */
  succeeded(delivery: Delivery): void {
    if (this.#groups.size === 0) return;
    const own = this.#groupOf.get(delivery);
    if (own) this.#end(own);
    for (const group of this.#groups.values()) {
      if (group.beside || delivery.startedAt <= group.since || !hasUsed(delivery, group.backend)) continue;
      group.beside = true;
      log.warn("subscription.some_refused", { subscription: this.#parts.name, reason: group.reason });
    }
  }

  /** It is refused no longer, whatever became of it. */
  forget(delivery: Delivery): void {
    const group = this.#groupOf.get(delivery);
    if (!group) return;
    this.#groupOf.delete(delivery);
    group.members.delete(delivery);
    group.waiting.delete(delivery);
    if (group.trying === delivery) group.trying = undefined;
    if (group.members.size === 0) this.#end(group);
    else this.#arm(group);
  }

  /** Those refused for the same reason as `error` are to be judged anew, one by one. */
  dismiss(error: RefusedError): void {
    const group = this.#groups.get(reasonOf(error));
    if (group) this.#end(group);
  }

  /** Takes out those that wait here, for a pause of the whole. */
  drain(): Delivery[] {
    const drained: Delivery[] = [];
    for (const group of this.#groups.values()) {
      group.cancel?.();
      group.cancel = undefined;
      drained.push(...group.waiting);
      group.waiting.clear();
      group.trying = undefined;
    }
    return drained;
  }

  /** Clears the timers, for good; what waits stays where it is. */
  close(): void {
    this.#closed = true;
    this.drain();
    for (const group of this.#groups.values()) group.reporter.ok();
    this.#groups.clear();
    this.#groupOf.clear();
  }

  #begin(reason: string, backend: Backend | undefined): Group {
    const { health, clock } = this.#parts;
    const group: Group = {
      ...{ reason, backend, since: clock.monotonic(), members: new Set(), waiting: new Set() },
      reporter: backend && health?.reporter(backend.kind, backend.name) || unheard,
      ...{ trying: undefined, tries: 0, beside: false, cancel: undefined },
    };
    this.#groups.set(reason, group);
    return group;
  }

  #end(group: Group): void {
    const { name, inbox, clock } = this.#parts;
    group.cancel?.();
    this.#groups.delete(group.reason);
    for (const member of group.members) this.#groupOf.delete(member);
    for (const delivery of group.waiting) inbox.resume(delivery);
    group.reporter.ok();
    if (!group.beside) return;
    log.info("subscription.none_refused", {
      ...{ subscription: name, reason: group.reason, messages: group.members.size },
      refused_ms: Math.round(clock.monotonic() - group.since),
    });
  }

  #arm(group: Group): void {
    if (group.cancel || group.trying || group.waiting.size === 0 || this.#closed) return;
    const { clock, random } = this.#parts;
    const ms = retryDelay(group.tries + 1, FIRST_TRY_SECONDS, LAST_TRY_SECONDS, random);
    group.cancel = clock.after(ms, () => {
      group.cancel = undefined;
      this.#try(group);
    });
  }

  /** Who has waited longest; it comes to the end again if it is refused. */
  #try(group: Group): void {
    for (const next of group.waiting) {
      // Another process may have claimed it meanwhile.
      if (next.stage === "done") {
        this.forget(next);
        continue;
      }
      group.waiting.delete(next);
      group.trying = next;
      return this.#parts.inbox.resume(next);
    }
  }
}

/** What the backend said, without what the message was about: the same for all whom it refuses for it. */
function reasonOf(error: RefusedError): string {
  return error.concerns !== "key" && error.cause instanceof Error ? error.cause.message : error.message;
}

function hasUsed({ backends }: Delivery, backend: Backend | undefined): boolean {
  return !backend || backends.some(({ kind, name }) => kind === backend.kind && name === backend.name);
}
