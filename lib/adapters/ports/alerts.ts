/**
 * The port of alerts: what is kept of them where every process finds it (operations 11).
 *
 * @module
 */

/** One text is put in the place of another. */
export interface AlertChange {
  readonly id: string;
  /** What is kept now; undefined: nothing. */
  readonly was: string | undefined;
  /** What is to be kept; undefined: nothing any more. */
  readonly data: string | undefined;
}

/** Texts by id, of all domains on one broker. Methods reject with `BrokerUnavailableError`. */
export interface AlertRecords {
  /** Everything that is kept. */
  all(): Promise<ReadonlyMap<string, string>>;
  /**
   * Makes those changes whose `was` is what is kept, each by itself and all in one step. Returns for each in
   * turn whether it was made. What is made is not lost with the power.
   */
  change(changes: readonly AlertChange[]): Promise<readonly boolean[]>;
}
