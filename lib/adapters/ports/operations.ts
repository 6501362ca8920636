/**
 * The port of operations: work on many things at once, kept where every process finds it (operations 6).
 *
 * @module
 */

/** `planned`: nobody has begun it. The last three are its end. */
export type OperationState = "planned" | "running" | "paused" | "done" | "cancelled" | "failed";

/** States in which another one that is alike is refused. */
export const UNFINISHED: readonly OperationState[] = ["planned", "running", "paused"];
/** How long an operation is kept since it was written last, in ms: 30 days. */
export const OPERATION_KEPT_MS = 30 * 24 * 3_600_000;

/** What is kept of one. */
export interface OperationRow {
  readonly id: string;
  /** Epoch ms. */
  readonly created: number;
  readonly state: OperationState;
  /** Names whoever runs it; empty: nobody, unless it was killed. */
  readonly run: string;
  /** Grows with every sign of life of whoever runs it. */
  readonly beats: number;
  /** Everything else, as its owner writes it. */
  readonly data: string;
}

/** A new one; `alike`: no two unfinished ones have the same. */
export type NewOperation = Pick<OperationRow, "id" | "created" | "state" | "data"> & {
  readonly alike: string;
};

/**
 * Operations of all processes on one broker. One process runs an operation at a time, for which it holds a lock
 * of the broker; `run` keeps one that has lost the lock from writing.
 */
export interface OperationRecords {
  /** Keeps a new one. Returns undefined, or the id of an unfinished one that is alike: nothing is kept then. */
  create(operation: NewOperation): Promise<string | undefined>;
  get(id: string): Promise<OperationRow | undefined>;
  /** The newest first. */
  list(limit: number): Promise<readonly OperationRow[]>;
  /** Those that are planned or running, the oldest first. */
  waiting(limit: number): Promise<readonly OperationRow[]>;
  /** Puts it into another state where it is in one of `from`, all of them unfinished. Returns the state that it was in; undefined: none. */
  turn(id: string, from: readonly OperationState[], to: OperationState): Promise<OperationState | undefined>;
  /** As `turn` to `running`, in the name of `run`; what somebody else writes from now on is refused. */
  begin(id: string, from: readonly OperationState[], run: string): Promise<OperationState | undefined>;
  /**
   * A sign of life, with what is new. Returns the state that it is in, which somebody may have changed meanwhile;
   * undefined: it is not `run`'s any more, and nothing was written.
   */
  save(id: string, run: string, data?: string): Promise<OperationState | undefined>;
  /**
   * Lets go of it. It is in the state `to` then, unless somebody has taken it out of `running` before. Returns
   * that state; undefined as `save`.
   */
  end(id: string, run: string, to: OperationState, data: string): Promise<OperationState | undefined>;
}
