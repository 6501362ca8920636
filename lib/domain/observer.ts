/**
 * Who is told of what a running domain does: one interface, and nobody listens unless somebody is named. What
 * is observed calls it with what it has at hand; instruments, traces and figures are its subscribers and
 * nothing at those places.
 *
 * Every method is optional, and one that is missing costs nothing: no object is made and no clock is read for
 * it. What is observed many times is asked about once, by subject (a subscription, an outbox processor), so
 * that a subscriber can prepare its attributes there. An observer must not wait; what it throws is kept from
 * those that are observed (`harmless`).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { asError } from "../errors.ts";
import type { Message, TraceContext } from "../message/types.ts";
import type { HandlerKind } from "./handler_port.ts";

const log = getLogger(["protean", "domain"]);

/** What can become of a delivery on its way through a subscription. */
export const DELIVERY_EVENTS = [
  /** A handler run committed. */
  "handled",
  /** Skipped, because a mark said that the effect exists. */
  "duplicates",
  /** Acknowledged without running: a type that this handler does not handle. */
  "ignored",
  /** Acknowledged without running: a type of another domain. */
  "foreign",
  /** Given to another program's consumer of a shared group, which handles what we do not (delivery 5). */
  "handedOver",
  /** Acknowledged without running: a command past its deadline. */
  "expired",
  /** A handler run failed. */
  "failed",
  /** A retry was started. */
  "retried",
  /** Moved to the dead-letter stream. */
  "deadLettered",
  /** Kept, with its partition standing still at it (wire 2.11). */
  "halted",
  /** Given up without a dead-letter stream (`enable_dlq = false`). */
  "discarded",
  /** Recorded as failed in the event store, and passed over: a later pass tries it again. */
  "setAside",
  /** Recorded as given up in the event store. */
  "exhausted",
  /** Acknowledged because its handler threw `Discard`; `DeliveryObserver.declined` has the reasons. */
  "declined",
  /** Its handler threw `RetryAfter`: it waits, and no attempt is counted. */
  "postponed",
  /** An `onDeadLetter` hook failed: its message was dead-lettered all the same. */
  "hooksFailed",
  /** Taken over from another consumer, or found again after a lost reply. */
  "recovered",
  /** Claimed by somebody else while we had it. */
  "lost",
  /** A pending entry whose message had been trimmed (PIPE-7). */
  "trimmed",
  /** The group had to be created again (PIPE-6). */
  "groupsRecreated",
  /** A handler cut by the drain. */
  "cut",
  /** Handled, and not acknowledged when the subscription ended: it is delivered again. */
  "unacknowledged",
  /** Not handled, and not handed back when the subscription ended: others wait to claim it. */
  "unreleased",
] as const;
export type DeliveryEvent = typeof DELIVERY_EVENTS[number];

/** What can become of an outbox row. */
export const PUBLISH_EVENTS = ["published", "failed", "abandoned"] as const;
export type PublishEvent = typeof PUBLISH_EVENTS[number];

/** What maintenance can do to a dead-letter queue: letters that went, alerts that were told. */
export const DEAD_LETTER_EVENTS = ["trimmed", "alerts"] as const;
export type DeadLetterEvent = typeof DEAD_LETTER_EVENTS[number];

/** Called once, at the end of what was observed; with the error it ended with, if any. */
export type Ended = (error?: Error) => void;

/** Called once, at the end of a commit. */
export type Committed = (messages: number, error?: Error) => void;

/** Of one handler run. */
export interface HandlerSpan extends Pick<Span, "trace"> {
  /** Called once, at the end of the run; with the error it ended with, if any, and its milliseconds. */
  ended(error: Error | undefined, ms: number): void;
}

/** Of a command that is sent. */
export interface Span {
  /** What messages written meanwhile carry as their trace; undefined: that of the message handled. */
  readonly trace?: TraceContext | undefined;
  readonly ended: Ended;
}

export interface SubscriptionFacts {
  readonly handler: string;
  readonly category: string;
  readonly group: string;
}

/** What the circuit breaker of a subscription does (wire 10.9). */
export type BreakerState = "closed" | "open" | "half_open";

export interface DeliveryObserver {
  happened(event: DeliveryEvent, count: number): void;
  /** Beside `declined`: the handler's reason, `other` once there were more different ones than are kept. */
  declined?(reason: string): void;
  /** The circuit breaker has changed to this state; `failures` in a row have led there. */
  breaker?(state: BreakerState, failures: number): void;
  /**
   * Asked before `ran` and `settled` of a run that succeeded: false, and neither is called for it. Where there
   * are many, to time some of them will do. @default all are told
   */
  sampled?(): boolean;
  /** A handler run has ended after so many milliseconds: with its error, or its effect is there. */
  ran?(ms: number, error: Error | undefined): void;
  /** Beside `handled`: so many milliseconds after the time that its message bears. */
  settled?(ageMs: number): void;
  /** Beside `expired`: the type string of the command. */
  expired?(type: string): void;
}

export interface ProcessorFacts {
  readonly provider: string;
  readonly broker: string;
}

/** A row as it was published. */
export interface PublishedRow {
  readonly messageId: string;
  readonly type: string;
  readonly streamName: string;
  /** JSON, as the message carries it. */
  readonly metadata: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

export interface PublishObserver {
  happened(event: PublishEvent, count: number): void;
  /** These rows have just been published together, which took so many milliseconds. */
  batch?(rows: readonly PublishedRow[], ms: number): void;
}

export interface DeadLetterObserver {
  happened(event: DeadLetterEvent, count: number): void;
}

/** Told of what becomes of alerts (operations 11). */
export interface AlertObserver {
  /** A channel has been told. */
  told(rule: string, state: "firing" | "resolved"): void;
  /** A channel could not be told. */
  failed(channel: string): void;
}

/** Told of the runs of one check. */
export interface CheckObserver {
  ran(ms: number, passed: boolean): void;
}

export interface Observer {
  /** A subscription is made. */
  subscription?(facts: SubscriptionFacts): DeliveryObserver;
  /** An outbox processor is made. */
  processor?(facts: ProcessorFacts): PublishObserver;
  /** A dead-letter queue, by the name of its stream, is going to be maintained. */
  deadLetters?(dlqStream: string): DeadLetterObserver;
  /** Alerts are going to be told. */
  alerts?(): AlertObserver;
  /** A check, by its name, is going to be run. */
  check?(name: string): CheckObserver;
  /** A handler starts on a message; undefined: this run is of no interest. */
  handler?(handler: string, message: Message, kind: HandlerKind): HandlerSpan | undefined;
  /** A handler is repeated within one delivery: after a conflict, or what usually passes. */
  repeated?(handler: string, error: Error): void;
  /**
   * A unit of work begins to commit. `name` is the handler's, or that of the work outside of one; `trace` is
   * what it is part of. What is returned is called with how many messages it has sent.
   */
  commit?(name: string, trace: TraceContext | null): Committed | undefined;
  /** `domain.process` was called with a command of this type string. Enqueued: it is handled later. */
  command?(type: string, mode: "handled" | "enqueued"): Span | undefined;
  /** An adapter is called: `provider`, `default`, `ping`. Adapters are wrapped only where this is given. */
  call?(kind: string, adapter: string, operation: string): Ended | undefined;
}

/** Nobody. */
export const UNOBSERVED: Observer = {};

/**
 * As `observer`, but what it throws goes no further, and is logged the first time: a handler that has
 * committed must not run again because an instrument failed.
 */
export function harmless(observer: Observer): Observer {
  let logged = false;
  const failed = (error: unknown) => {
    if (!logged) log.warn("observer.failed", { error: asError(error).message });
    logged = true;
    return undefined;
  };
  const attempt = <T>(call: () => T): T | undefined => {
    try {
      const result = call();
      // One that is async fails later, and nobody waits for it: unhandled, that would end the server.
      if (result instanceof Promise) result.catch(failed);
      return result;
    } catch (error) {
      return failed(error);
    }
  };
  const ending = (ended: Ended | undefined): Ended | undefined =>
    ended && ((error) => void attempt(() => ended(error)));
  const counting = <E>(events: { happened(event: E, count: number): void } | undefined) => ({
    happened: (event: E, count: number) => void attempt(() => events?.happened(event, count)),
  });
  const spanning = (span: Span | undefined): Span | undefined =>
    span && { trace: attempt(() => span.trace), ended: (error) => void attempt(() => span.ended(error)) };
  const { subscription, processor, deadLetters, handler, repeated, commit, command, call } = observer;
  const { alerts, check } = observer;
  return {
    ...(subscription && {
      subscription: (facts) => {
        const told = attempt(() => subscription.call(observer, facts));
        return {
          ...counting(told),
          declined: (reason) => void attempt(() => told?.declined?.(reason)),
          breaker: (state, failures) => void attempt(() => told?.breaker?.(state, failures)),
          ...(told?.ran && { ran: (ms, error) => void attempt(() => told.ran?.(ms, error)) }),
          ...(told?.settled && { settled: (age) => void attempt(() => told.settled?.(age)) }),
          ...(told?.expired && { expired: (type) => void attempt(() => told.expired?.(type)) }),
        };
      },
    }),
    ...(processor && {
      processor: (facts) => {
        const told = attempt(() => processor.call(observer, facts));
        return {
          ...counting(told),
          ...(told?.batch && { batch: (...published) => void attempt(() => told.batch?.(...published)) }),
        };
      },
    }),
    ...(deadLetters && {
      deadLetters: (dlqStream) => counting(attempt(() => deadLetters.call(observer, dlqStream))),
    }),
    ...(alerts && {
      alerts: () => {
        const observed = attempt(() => alerts.call(observer));
        return {
          told: (rule, state) => void attempt(() => observed?.told(rule, state)),
          failed: (channel) => void attempt(() => observed?.failed(channel)),
        };
      },
    }),
    ...(check && {
      check: (name) => {
        const observed = attempt(() => check.call(observer, name));
        return { ran: (ms, passed) => void attempt(() => observed?.ran(ms, passed)) };
      },
    }),
    ...(handler && {
      handler: (...run) => {
        const span = attempt(() => handler.apply(observer, run));
        return span && {
          trace: attempt(() => span.trace),
          ended: (error, ms) => void attempt(() => span.ended(error, ms)),
        };
      },
    }),
    ...(repeated && { repeated: (...again) => void attempt(() => repeated.apply(observer, again)) }),
    ...(commit && {
      commit: (...work) => {
        const ended = attempt(() => commit.apply(observer, work));
        return ended && ((...end) => void attempt(() => ended(...end)));
      },
    }),
    ...(command && { command: (...sent) => spanning(attempt(() => command.apply(observer, sent))) }),
    ...(call && { call: (...asked) => ending(attempt(() => call.apply(observer, asked))) }),
  };
}
