/**
 * What a subscription needs of a handler: judge a message, then run it. Implemented by the domain.
 *
 * @module
 */
import type { Backend } from "./backends.ts";
import type { Message, MessageMetadata, TraceContext } from "../message/types.ts";
import type { DeadLetterEntry } from "./types.ts";

export type HandlerKind = "command_handler" | "event_handler" | "projector" | "subscriber";

/** What is to be done with a message that could be read (delivery 5). */
export type Verdict =
  /** Some method of the handler wants it. `plan` is the domain's own, handed back to `run`. */
  | { readonly kind: "run"; readonly plan: unknown }
  /** A type of this domain that this handler does not handle: acknowledged. */
  | { readonly kind: "ignored" }
  /** A type of another domain: acknowledged and counted. */
  | { readonly kind: "foreign" }
  /** A command past its deadline: acknowledged, not run (S66). */
  | { readonly kind: "expired" }
  /** Unknown type, missing upcaster, refused by the schema: dead-lettered once, never retried. */
  | { readonly kind: "poison"; readonly error: Error };

/** A message that a unit of work has committed. */
export interface SentMessage {
  readonly data: string;
  readonly metadata: MessageMetadata;
}

export interface RunOptions {
  /** Aborted when ownership of the message is lost or when the drain cuts the handler. */
  readonly signal: AbortSignal;
  /** Asked right before every commit: false refuses it with `CommitRefusedError`. */
  readonly mayCommit: () => boolean;
  /** Aborts when `mayCommit` says no from now on; asked for once `signal` has aborted. */
  readonly givenUp?: AbortSignal;
  /** Told of every backend that has committed a part of the work. */
  committed?(backend: Backend): void;
  /**
   * The entry's id at the broker, or its global position. Tells apart commands whose `headers.id` is only the
   * id of their aggregate, as Python writes them (delivery 10).
   */
  readonly id?: string;
  /**
   * Stream and entry that the message was first read from, whichever lane brought it here. Tells apart
   * messages without `headers.id`; entry ids alone may repeat from stream to stream.
   */
  readonly source?: string | undefined;
  /** What was marked under another one counts as not done: the message was asked for once more. */
  readonly generation?: string | undefined;
  /**
   * It was never started before, as far as anybody knows: whether its effect is there already is found at the
   * commit. @default false: that is looked at before the handler runs
   */
  readonly fresh?: boolean;
  /**
   * Reads the message anew, for every try after the first: what a handler has made of what it was given is
   * nobody else's. Absent: all tries are given the same.
   */
  again?(): Message;
  /**
   * Given what each unit of work has committed, where the domain handles its events in the same process.
   * Absent: they are handled before `run` resolves, and what fails is logged.
   */
  spread?(committed: readonly SentMessage[]): void;
  /** Monotonic milliseconds at which it was started. @default when it is run */
  readonly startedAt?: number;
  /** The trace that the handling is part of, which the messages that it writes carry on. @default null */
  readonly trace?: TraceContext | null;
}

/** Messages that may be handled together: so many, and so long the first may wait for more. */
export interface Batching {
  readonly size: number;
  readonly maxWaitMs: number;
}

/** One message of a batch. */
export interface BatchMember {
  readonly message: Message;
  readonly plan: unknown;
  /** Of messages with the same key a later one is not handled before an earlier one is. */
  readonly key: string;
  readonly options: Pick<RunOptions, "id" | "source" | "generation" | "again">;
}

/**
 * What became of one message of a batch that was committed. `failed`: its handler has taken it out. `held`: it
 * is behind one that failed, and is to be handled after that.
 */
export type BatchResult =
  | { readonly kind: "handled" | "duplicate" | "held" }
  | { readonly kind: "failed"; readonly error: Error };

/** One handler as subscriptions see it. */
export interface HandlerRunner {
  /** As declared: `OrderEventHandler`. */
  readonly name: string;
  readonly kind: HandlerKind;
  /** `<normalized domain>.<name>`, or the handler's `consumerGroup`. */
  readonly group: string;
  /** True when `consumerGroup` was given: the group may be shared with a Python service. */
  readonly sharedGroup: boolean;
  /** Stream categories, one subscription each: `my_domain::order`, `my_domain::order:command`. */
  readonly categories: readonly string[];
  /** Type strings that it handles, older versions included; `$any` for all others. @default not known */
  readonly types?: readonly string[];
  /** As declared; resolved by `lib/subscription/`. */
  readonly options: {
    readonly subscriptionProfile?: string;
    readonly subscriptionType?: "stream" | "event_store";
    readonly idempotent?: boolean;
    readonly concurrency?: number;
    readonly sequentialBy?: string;
    readonly subscriptionConfig?: Readonly<Record<string, unknown>>;
  };
  /**
   * The handler's hook, in a unit of work of its own; `message` where it could be read. Absent: it has none.
   * Rejects with what the hook throws.
   */
  readonly onDeadLetter?:
    | ((letter: DeadLetterEntry, message: Message | undefined, options: RunOptions) => Promise<void>)
    | undefined;
  /** Name of the broker that it reads from. @default "default" */
  readonly broker?: string;
  /**
   * Reads the text of an entry that was first read at `place`, where it is no message of Protean's. Throws
   * `DeserializationError`. Absent: it is one.
   */
  decode?(
    text: string | undefined,
    maxBytes: number,
    place: { readonly stream: string; readonly id: string },
  ): Message;
  /** Synchronous; never throws. */
  judge(message: Message): Verdict;
  /**
   * Runs every method that wants the message, each in its own unit of work, retrying version conflicts on
   * `[server.version_retry]`. Resolves once all effects are committed; `duplicate` when marks said that they
   * were already. Rejects with the first failure (several: an AggregateError) after every sibling has run
   * (PIPE-15).
   */
  run(message: Message, plan: unknown, options: RunOptions): Promise<"handled" | "duplicate">;
  /** With which others it may be handled: those for which this is the same object. Undefined: alone. */
  batching?(plan: unknown): Batching | undefined;
  /** Most messages that it handles together. @default 1 */
  readonly mostTogether?: number;
  /**
   * Runs a batch of messages with one `batching` in one unit of work; returns what became of each. Rejects with
   * what was thrown where nobody can tell which of them it concerns: nothing is committed then. `guard` is that of
   * all of them.
   */
  runTogether?(members: readonly BatchMember[], guard: RunOptions): Promise<readonly BatchResult[]>;
}
