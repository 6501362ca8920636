/**
 * The messages of one batch at work at the same time, in one unit of work, with the effect that they have one
 * after the other: who comes later waits for what somebody earlier has touched, until that one has ended. It
 * never is the other way round, so that nobody waits for ever; who comes to something that a later one has
 * touched has been overtaken, and all is undone and done again in order.
 *
 * @module
 */

/** What a call of a context is rejected with whose message is worked on again, alone or in order. */
export class WorkedOnAgain extends Error {
  override readonly name = "WorkedOnAgain";

  constructor() {
    super("The batch is worked on again: let this error pass.");
  }
}

/** By place. */
interface Row {
  /** They want it, and have it or wait for it. */
  readonly asking: Set<number>;
  /** They have read or written it. */
  readonly touching: Set<number>;
}

interface Place {
  readonly ended: PromiseWithResolvers<void>;
  over: boolean;
  failed: boolean;
  /** It has asked for something. */
  touched: boolean;
  /** It may have read or written anything. */
  everything: boolean;
}

export class BatchOrder {
  readonly #places: readonly Place[];
  readonly #rows = new Map<string, Row>();
  #overtaken = false;

  constructor(count: number) {
    this.#places = Array.from({ length: count }, () => ({
      ended: Promise.withResolvers<void>(),
      ...{ over: false, failed: false, touched: false, everything: false },
    }));
  }

  /** Somebody came too late: the batch has to be done in order. */
  get overtaken(): boolean {
    return this.#overtaken;
  }

  /**
   * Resolves when the message at `place` may read or write a row. Rejects with `WorkedOnAgain` where that would
   * show what is undone.
   */
  async row(place: number, row: string): Promise<void> {
    const { asking, touching } = this.#row(row);
    asking.add(place);
    const all = (other: number) => this.#places[other]?.everything === true;
    await this.#turn(
      place,
      (other) => asking.has(other) || all(other),
      (other) => touching.has(other) || all(other),
      () => void touching.add(place),
    );
  }

  #row(name: string): Row {
    let row = this.#rows.get(name);
    if (!row) this.#rows.set(name, row = { asking: new Set(), touching: new Set() });
    return row;
  }

  /** As `row`, whatever it is that is read or written. */
  async everything(place: number): Promise<void> {
    await this.#turn(place, () => true, (other) => this.#places[other]?.touched === true, (own) => {
      own.everything = true;
    });
  }

  /** Resolves when all who come before have ended; undefined: they have. */
  turn(place: number): Promise<void> | undefined {
    const before = this.#places.slice(0, place).filter(({ over }) => !over);
    if (before.length === 0) return undefined;
    return Promise.all(before.map(({ ended }) => ended.promise)).then(() => {});
  }

  /** The message has ended; what it has touched may be touched by others. */
  end(place: number, failed: boolean): void {
    const own = this.#places[place];
    if (!own) return;
    own.over = true;
    own.failed = failed;
    own.ended.resolve();
  }

  async #turn(
    place: number,
    waitsFor: (other: number) => boolean,
    collides: (other: number) => boolean,
    take: (own: Place) => void,
  ): Promise<void> {
    for (;;) {
      if (this.#overtaken) throw new WorkedOnAgain();
      const before = this.#places.findIndex(({ over }, other) => other < place && !over && waitsFor(other));
      if (before < 0) break;
      await this.#places[before]?.ended.promise;
    }
    this.#places.forEach(({ failed }, other) => {
      if (other > place && collides(other)) this.#overtaken = true;
      // What it has done is undone: nobody may see it.
      if (this.#overtaken || other < place && failed && collides(other)) throw new WorkedOnAgain();
    });
    const own = this.#places[place];
    if (!own) return;
    own.touched = true;
    // In the same turn: nobody else may come in between.
    take(own);
  }
}
