/**
 * Work in a unit of work of its own: marked where its effect must happen once, repeated where somebody else
 * saved first, or where what it met usually passes.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { Mark } from "../../adapters/ports.ts";
import { sleep } from "../../async/clock.ts";
import {
  asError,
  DuplicateMessageError,
  ExpectedVersionError,
  RefusedError,
  UnavailableError,
} from "../../errors.ts";
import { parseTime } from "../../message/time.ts";
import type { Committed } from "../observer.ts";
import type { WorkRuntime } from "../runtime.ts";
import type { Guard, Turn } from "./sessions.ts";
import type { Origin, Outgoing } from "./outgoing.ts";
import { isTransient, transientDelay, type TransientPolicy } from "./transient.ts";
import { UnitOfWork } from "./unit_of_work.ts";

const log = getLogger(["protean", "domain"]);

export interface UnitOptions {
  /** Who works, for the log. */
  readonly name: string;
  readonly origin: Origin;
  readonly guard: Guard;
  /** Claimed before the work; where it was claimed before, nothing is done. */
  readonly mark?: Mark | undefined;
  /**
   * Most likely nobody has claimed the mark: the work may be done before that is known, and then commits
   * nothing where somebody has. @default false: it is looked at first
   */
  readonly fresh?: boolean | undefined;
  /**
   * Handlers are repeated after a version conflict on `[server.version_retry]` (wire 10.7); work outside of
   * them is not.
   */
  readonly repeat: boolean;
  /** On whose behalf it waits for connections, one of many at once. @default nobody's */
  readonly turn?: Turn | undefined;
  /** What is repeated beside conflicts, on a schedule and with a count of its own. @default nothing */
  readonly transient?: TransientPolicy | undefined;
  /** Given what was committed, where events are handled here and now. @default `WorkRuntime.handleEvents` */
  readonly spread?: ((committed: readonly Outgoing[]) => void | Promise<void>) | undefined;
}

/** Committed: what the work returned, and the event-store positions of what it wrote there. */
export interface Done<R> {
  readonly kind: "done";
  readonly value: R;
  readonly positions: readonly number[];
  /** What was sent with it. */
  readonly sent: readonly Outgoing[];
}

/** What came of it: `duplicate` when the mark said that the effect is there already. */
export type Outcome<R> = Done<R> | { readonly kind: "duplicate" };

type Work<R> = (unit: UnitOfWork) => R | Promise<R>;

/**
 * Runs `work` and commits. Rejects with what `work` or the commit throws; nothing is committed then. Every
 * repetition has a fresh unit of work. Where events are handled here and now, that is done before it
 * resolves; what that throws comes after the commit, and repeats nothing.
 */
export function runUnitOfWork<R>(
  runtime: WorkRuntime,
  options: UnitOptions & { readonly mark?: undefined },
  work: Work<R>,
): Promise<Done<R>>;
export function runUnitOfWork<R>(
  runtime: WorkRuntime,
  options: UnitOptions,
  work: Work<R>,
): Promise<Outcome<R>>;
export async function runUnitOfWork<R>(
  runtime: WorkRuntime,
  options: UnitOptions,
  work: Work<R>,
): Promise<Outcome<R>> {
  const { guard, origin, name, transient } = options;
  let [conflicts, failures] = [0, 0];
  let outcome: Outcome<R> | undefined;
  while (!outcome) {
    try {
      outcome = await once(runtime, options, conflicts + failures > 0, work);
    } catch (thrown) {
      const error = asError(thrown);
      if (!options.repeat) throw thrown;
      let wait: number | undefined;
      if (error instanceof ExpectedVersionError) {
        wait = inTime(runtime, origin, conflictDelay(runtime, conflicts++));
        log.debug("handler.version_conflict", { handler: name, attempt: conflicts, retry_in_ms: wait });
      } else if (transient && isTransient(transient, error)) {
        wait = inTime(runtime, origin, transientDelay(transient, failures++));
        log.debug("handler.transient_failure", { handler: name, attempt: failures, retry_in_ms: wait });
      }
      if (wait === undefined || guard.signal.aborted) throw thrown;
      runtime.observer.repeated?.(name, error);
      if (wait > 0) await sleep(runtime.clock, wait, guard.signal);
      if (guard.signal.aborted) throw thrown;
    }
  }
  if (runtime.handleEvents && outcome.kind === "done" && outcome.sent.length > 0) {
    await (options.spread ? options.spread(outcome.sent) : runtime.handleEvents(outcome.sent, guard));
  }
  return outcome;
}

async function once<R>(
  runtime: WorkRuntime,
  { name, guard, mark, fresh = false, origin, repeat, turn }: UnitOptions,
  again: boolean,
  work: Work<R>,
): Promise<Outcome<R>> {
  const unit = new UnitOfWork(runtime, { origin, guard, careful: again || !repeat, turn });
  try {
    if (mark && !await unit.claim(mark, fresh && !again)) {
      await unit.rollback();
      return { kind: "duplicate" };
    }
    const value = await work(unit);
    const positions = await committed(runtime.observer, name, unit, origin.trace);
    return { kind: "done", value, positions, sent: unit.committed };
  } catch (thrown) {
    const error = asError(thrown);
    await unit.rollback();
    // A call of the work's may have been told it, whatever the work has made of that.
    const isDuplicate = [error, unit.failure].some((one) => one instanceof DuplicateMessageError);
    if (mark && isDuplicate) return { kind: "duplicate" };
    // Whatever a handler makes of it: after a call has failed nothing can be committed, for that reason.
    if (repeat && isBackendFailure(unit.failure)) throw unit.failure;
    throw thrown;
  }
}

/** A backend that is away, or refuses everybody. */
function isBackendFailure(error: Error | undefined): error is Error {
  return error instanceof UnavailableError || error instanceof RefusedError;
}

function committed(
  observer: WorkRuntime["observer"],
  name: string,
  unit: UnitOfWork,
  trace: Origin["trace"],
): Promise<readonly number[]> {
  const ended = observer.commit?.(name, trace);
  return ended ? toldOf(unit, ended) : unit.commit();
}

async function toldOf(unit: UnitOfWork, ended: Committed): Promise<readonly number[]> {
  try {
    const positions = await unit.commit();
    ended(unit.committed.length);
    return positions;
  } catch (error) {
    ended(0, asError(error));
    throw error;
  }
}

/** Milliseconds before the next repetition of a conflict; undefined: it was the last one. */
function conflictDelay({ config }: WorkRuntime, attempt: number): number | undefined {
  const { enabled, max_retries, base_delay_seconds, max_delay_seconds } = config.config.server.version_retry;
  if (!enabled || attempt >= max_retries) return undefined;
  return 1000 * Math.min(base_delay_seconds * 2 ** attempt, max_delay_seconds);
}

/** As `wait`, unless a command's deadline comes first. */
function inTime(
  { clock }: WorkRuntime,
  { message }: Origin,
  wait: number | undefined,
): number | undefined {
  if (wait === undefined) return undefined;
  const deadline = parseTime(message?.metadata.headers.deadline ?? null);
  return deadline !== undefined && clock.now() + wait >= deadline ? undefined : wait;
}
