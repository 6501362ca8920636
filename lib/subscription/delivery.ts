/**
 * One entry on its way through a subscription, from the read to the acknowledgement.
 *
 * @module
 */
import type { StreamGroup } from "../adapters/ports.ts";
import type { RunOptions, Verdict } from "../domain/handler_port.ts";
import type { Message } from "../message/types.ts";

// What a subscription has done since it started; read by health rows, `--once`, the demo and (later) the instruments.

export interface SubscriptionCounters {
  /** Handler runs that committed. */
  handled: number;
  /** Skipped because a mark said that the effect exists. */
  duplicates: number;
  /** Acknowledged without running: types this handler does not handle. */
  ignored: number;
  /** Acknowledged without running: types of other domains. */
  foreign: number;
  /** Acknowledged without running: commands past their deadline. */
  expired: number;
  /** Handler runs that failed. */
  failed: number;
  /** Retries that were started. */
  retried: number;
  /** Moved to the dead-letter stream. */
  deadLettered: number;
  /** Given up without a dead-letter stream (`enable_dlq = false`). */
  discarded: number;
  /** Taken over from another consumer, or found again after a lost reply. */
  recovered: number;
  /** Claimed by somebody else while we had them. */
  lost: number;
  /** Pending entries whose message had been trimmed (PIPE-7). */
  trimmed: number;
  /** Times the group had to be created again (PIPE-6). */
  groupsRecreated: number;
  /** Handlers cut by the drain. */
  cut: number;
}

export function newCounters(): SubscriptionCounters {
  return {
    handled: 0,
    duplicates: 0,
    ignored: 0,
    foreign: 0,
    expired: 0,
    failed: 0,
    retried: 0,
    deadLettered: 0,
    discarded: 0,
    recovered: 0,
    lost: 0,
    trimmed: 0,
    groupsRecreated: 0,
    cut: 0,
  };
}

/** Entries that arrived together. The batch is what ownership is refreshed by, so that no map entry is made per message. */
export interface Batch {
  readonly group: StreamGroup;
  readonly deliveries: Delivery[];
  /** Deliveries not yet acknowledged, dead-lettered or lost. */
  open: number;
}

/**
 * `queued` waits for a worker; `held` waits behind its stream; `running` is in the handler; `waiting` backs off; `closing` has its
 * outcome, which the broker is being told; `done` is over.
 */
export type Stage = "queued" | "held" | "running" | "waiting" | "closing" | "done";

export class Delivery implements RunOptions {
  stage: Stage = "queued";
  message: Message | undefined;
  plan: unknown;
  /**
   * `headers.stream`: messages of one stream run one at a time, in order. The entry's own id where a message has none. Empty until
   * decoded.
   */
  key = "";
  /** See `RunOptions`; set for a message without `headers.id`. */
  source: string | undefined;
  /** Holds its key's place in the order gate. */
  inside = false;
  /** The handler was started at least once in this process. */
  started = false;
  /** Failures that were the infrastructure's, not the message's: not attempts. */
  unavailable = 0;
  /** The next start repeats an attempt that is counted already. */
  counted = false;
  firstFailedAt: number | undefined;
  /** Why the handler is not to be run, once judged so. */
  skip: Verdict | undefined;
  /** Set once the outcome is the dead-letter stream: only that is tried again then, never the handler. */
  verdict: Error | undefined;
  /** Claimed by somebody else meanwhile. */
  lost = false;
  /** The drain gave it up: it may not commit any more. */
  abandoned = false;
  /** Its worker was told to stop it (drain deadline, or ownership lost). */
  cut = false;
  /**
   * It may have killed the process that had it, so it runs with no other suspect beside it and is acknowledged before the next
   * (delivery 2). What a drain handed back without a finished attempt did not: it is as good as new.
   */
  readonly suspect: boolean;
  #abort: AbortController | undefined;

  constructor(
    readonly id: string,
    public text: string | undefined,
    readonly batch: Batch,
    /** Started attempts, as the pending list counts them (delivery 2). */
    public count: number,
    /** Found in the pending list instead of read: its start is counted, by the broker, before it. */
    readonly recovered: boolean,
  ) {
    this.suspect = recovered && count > 0;
  }

  /** Made when first asked for: most handlers never look. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.cut && !this.#abort.signal.aborted) this.#abort.abort();
    return this.#abort.signal;
  }

  mayCommit(): boolean {
    return !this.lost && !this.abandoned;
  }

  /** Nothing of it is needed any more; its batch may live on for long, for the sake of one that backs off. */
  letGo(): void {
    this.text = undefined;
    this.message = undefined;
    this.plan = undefined;
  }

  /** Aborts the handler's signal. */
  interrupt(reason: Error): void {
    this.cut = true;
    this.#abort?.abort(reason);
  }

  /** Attempts that ran to their end: what the entry is released with (delivery 7, PIPE-16). */
  get finishedAttempts(): number {
    if (this.stage === "running" || this.counted) return Math.max(0, this.count - 1);
    return this.started || this.recovered ? this.count : 0;
  }
}
