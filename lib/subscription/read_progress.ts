/**
 * How far a category has been worked off: messages are finished in any order, and the position is that of the
 * last one before which nothing is open.
 *
 * @module
 */
import { Fifo } from "./fifo.ts";

interface Item {
  readonly position: number;
  /** A message, and not only something that was read. */
  readonly counts: boolean;
  isOver: boolean;
}

export class ReadProgress {
  readonly #order = new Fifo<Item>();
  readonly #open = new Map<number, Item>();
  #first: Item | undefined;
  #position: number;
  #ended = 0;
  #covered = 0;

  /** `position`: everything up to there is over; -1: nothing is. */
  constructor(position: number) {
    this.#position = position;
  }

  /** Global position up to which everything is over. */
  get position(): number {
    return this.#position;
  }

  /** Messages that have come to an end, and those of them up to the position. */
  get ended(): number {
    return this.#ended;
  }

  get covered(): number {
    return this.#covered;
  }

  /** A message was read; positions come in order. */
  begin(position: number): void {
    const item = { position, counts: true, isOver: false };
    this.#open.set(position, item);
    this.#push(item);
  }

  /** What was read up to this position needs no work. `counts`: it was a message. */
  pass(position: number, counts = false): void {
    if (position <= this.#position) return;
    if (counts) this.#ended++;
    this.#push({ position, counts, isOver: true });
  }

  /** Nothing is left to do for it. */
  end(position: number): void {
    const item = this.#open.get(position);
    if (!item) return;
    item.isOver = true;
    this.#ended++;
    this.#open.delete(position);
    this.#advance();
  }

  #push(item: Item): void {
    if (this.#first) this.#order.push(item);
    else {
      this.#first = item;
      this.#advance();
    }
  }

  #advance(): void {
    while (this.#first?.isOver) {
      this.#position = this.#first.position;
      if (this.#first.counts) this.#covered++;
      this.#first = this.#order.shift();
    }
  }
}
