/**
 * How far a category has been worked off: messages are finished in any order, and the position is that of the
 * last one before which nothing is open. What is over and stands side by side is one piece, so that it takes no
 * more room than what is open, however long one message keeps the position back.
 *
 * @module
 */

/** Messages that stand side by side: one that is open, or any number that are over. */
interface Piece {
  /** Of the last of them. */
  position: number;
  /** How many of them count: messages, and not only something that was read. */
  count: number;
  isOver: boolean;
  before: Piece | undefined;
  next: Piece | undefined;
}

export class ReadProgress {
  readonly #open = new Map<number, Piece>();
  /** All behind the position, in order. */
  #first: Piece | undefined;
  #last: Piece | undefined;
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

  /** Pieces that are kept; at most one more than twice the open messages. */
  get pieces(): number {
    let pieces = 0;
    for (let piece = this.#first; piece; piece = piece.next) pieces++;
    return pieces;
  }

  /** A message was read; positions come in order. */
  begin(position: number): void {
    const piece = { position, count: 1, isOver: false, before: this.#last, next: undefined };
    this.#open.set(position, piece);
    this.#append(piece);
  }

  /** What was read up to this position needs no work. `counts`: it was a message. */
  pass(position: number, counts = false): void {
    if (position <= this.#position) return;
    const count = counts ? 1 : 0;
    this.#ended += count;
    const last = this.#last;
    if (last?.isOver) {
      last.position = position;
      last.count += count;
    } else this.#append({ position, count, isOver: true, before: last, next: undefined });
    this.#advance();
  }

  /** Nothing is left to do for it. */
  end(position: number): void {
    const piece = this.#open.get(position);
    if (!piece) return;
    this.#open.delete(position);
    piece.isOver = true;
    this.#ended++;
    if (piece.next?.isOver) this.#join(piece, piece.next);
    if (piece.before?.isOver) this.#join(piece.before, piece);
    this.#advance();
  }

  #append(piece: Piece): void {
    if (this.#last) this.#last.next = piece;
    else this.#first = piece;
    this.#last = piece;
  }

  /** The first takes in the one behind it. */
  #join(piece: Piece, behind: Piece): void {
    piece.position = behind.position;
    piece.count += behind.count;
    piece.next = behind.next;
    if (behind.next) behind.next.before = piece;
    else this.#last = piece;
  }

  #advance(): void {
    const first = this.#first;
    if (!first?.isOver) return;
    this.#position = first.position;
    this.#covered += first.count;
    this.#first = first.next;
    if (this.#first) this.#first.before = undefined;
    else this.#last = undefined;
  }
}
