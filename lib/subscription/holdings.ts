/**
 * How much of its messages a subscription holds in memory (SEC-3, D16). A delivery whose text is not held is
 * parked: only what it is known by is kept, and its text is brought again when its turn comes.
 *
 * @module
 */
import type { Delivery } from "./delivery.ts";
import type { TextShare } from "./text_share.ts";

/** Text held before reading pauses. Counted in UTF-16 units, which take one or two bytes. */
export const PAUSE_SIZE = 8 * 1024 * 1024;
/** What one answer of the broker may bring, and what is held at most; a single text may be larger. */
export const MOST_SIZE = 2 * PAUSE_SIZE;
/** Of these, held by deliveries that wait: they alone never pause the reading. */
export const RESTING_SIZE = PAUSE_SIZE / 2;
/** Of a larger text, what was decoded is not kept while it waits. */
const LARGE = 64 * 1024;
/** Deliveries that wait without their texts before reading pauses: some 300 bytes each. */
export const MOST_ASLEEP = 200_000;

export class Holdings {
  readonly #awake: number;
  readonly #share: TextShare;
  #size = 0;
  #resting = 0;
  #restingSize = 0;
  #asleep = 0;

  /** `awake`: so many of those that wait keep their texts. `share`: what others hold beside this one. */
  constructor(awake: number, share: TextShare) {
    this.#awake = awake;
    this.#share = share;
  }

  /**
   * So much text is held that no more should be read. Whoever holds none but of what waits may always read.
   */
  get full(): boolean {
    return this.#size >= PAUSE_SIZE || this.#sharesTooMuch;
  }

  /** Others may hold theirs for as long as a backend of theirs is away. */
  get #sharesTooMuch(): boolean {
    return this.#share.full && this.#size > this.#restingSize;
  }

  /** Deliveries that wait behind their key, or for their time, and have no text. */
  get asleep(): number {
    return this.#asleep;
  }

  /** Takes in new deliveries; texts are let go where too much is held already. */
  takeInAll(deliveries: readonly Delivery[]): void {
    let size = 0;
    for (const { text } of deliveries) if (text !== undefined) size += text.length;
    // Nearly always.
    if (this.#size + size <= MOST_SIZE && !this.#share.full) this.#change(size);
    else for (const delivery of deliveries) this.takeIn(delivery);
  }

  /** Takes in a new delivery; its text is let go where too much is held already. */
  takeIn(delivery: Delivery): void {
    const { size } = delivery;
    const tooMuch = this.#size > 0 && this.#size + size > MOST_SIZE || this.#sharesTooMuch;
    if (tooMuch && isFetchable(delivery)) delivery.park();
    else this.#change(size);
  }

  /** The delivery waits from now on, for long perhaps: where many do, its text is let go. */
  rest(delivery: Delivery): void {
    if (!delivery.parked && !this.mayRest(delivery.size) && isFetchable(delivery)) {
      this.#change(-delivery.size);
      delivery.park();
    }
    this.pause(delivery);
    delivery.resting = true;
    this.#count(delivery, 1);
  }

  /** The delivery is not worked on for a while. */
  pause(delivery: Delivery): void {
    if (delivery.size > LARGE) delivery.forget();
  }

  /** Whether one more that waits may keep its text of that size. */
  mayRest(size: number): boolean {
    return this.#resting < this.#awake && this.#restingSize + size <= RESTING_SIZE &&
      (size === 0 || !this.#share.crowded);
  }

  /** The delivery waits no longer. */
  wake(delivery: Delivery): void {
    if (!delivery.resting) return;
    delivery.resting = false;
    this.#count(delivery, -1);
  }

  /** The text of a parked delivery is here again. One that still waits keeps it only if there is room. */
  bring(delivery: Delivery, text: string | undefined): void {
    const { resting } = delivery;
    const size = text?.length ?? 0;
    if (!delivery.parked || resting && !this.mayRest(size)) return;
    this.wake(delivery);
    delivery.parked = false;
    delivery.text = text;
    this.#change(size);
    delivery.resting = resting;
    if (resting) this.#count(delivery, 1);
  }

  /** Nothing of the delivery is held any more. */
  letGo(delivery: Delivery): void {
    this.wake(delivery);
    this.#change(-delivery.size);
    delivery.letGo();
  }

  /** The subscription has ended, whatever it held. */
  close(): void {
    this.#change(-this.#size);
  }

  #change(size: number): void {
    this.#size += size;
    this.#share.change(size);
  }

  #count(delivery: Delivery, change: 1 | -1): void {
    if (delivery.parked) this.#asleep += change;
    else {
      this.#resting += change;
      this.#restingSize += change * delivery.size;
    }
  }
}

function isFetchable({ batch }: Delivery): boolean {
  return batch.lane.source.fetch !== undefined;
}
