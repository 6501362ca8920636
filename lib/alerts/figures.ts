/**
 * What the rules are judged by, as an engine has gathered it anyway.
 *
 * @module
 */
import type { BreakerState } from "../domain/observer.ts";
import type { CheckState } from "../domain/check.ts";

/** A subscription, or an outbox on its way to a broker. Null is unknown. */
export interface FigureRow {
  readonly name: string;
  readonly handler: string;
  /** Of an outbox: the name of the broker. */
  readonly category: string;
  readonly isOutbox: boolean;
  readonly lag: number | null;
  readonly pending: number | null;
  /** How far the group was given entries. */
  readonly position: string | null;
  /** Since its oldest message that is not acknowledged, or row that is not published; 0 where there is none. */
  readonly ageSeconds: number | null;
}

export interface PoolFigures {
  readonly name: string;
  readonly size: number;
  readonly checkedOut: number;
  /** Those who wait for a connection. */
  readonly waiting: number;
}

/** One worker, as it told last. */
export interface WorkerFigures {
  readonly id: string;
  readonly host: string;
  readonly pid: string;
  readonly subscriptions: readonly {
    readonly handler: string;
    readonly category: string;
    readonly breaker: BreakerState;
    /** Messages of which it has come to an end since its start; undefined: an older release does not tell. */
    readonly finished: number | undefined;
  }[];
  readonly pools: readonly PoolFigures[];
  readonly checks: readonly Pick<CheckState, "name" | "status" | "error">[];
}

/** A worker that was there. */
export interface LostWorker extends Pick<WorkerFigures, "id" | "host" | "pid"> {
  /** False: it is there again. */
  readonly gone: boolean;
}

export interface AlertFigures {
  /** Undefined: nobody knows now. */
  readonly rows: readonly FigureRow[] | undefined;
  /** This one too. Undefined: nobody knows now. */
  readonly workers: readonly WorkerFigures[] | undefined;
  /** Of the last hour. */
  readonly lost: readonly LostWorker[];
}
