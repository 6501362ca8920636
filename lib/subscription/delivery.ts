/**
 * One entry on its way through a subscription, from the read to the acknowledgement.
 *
 * @module
 */
import type { TooLarge } from "../adapters/ports.ts";
import type { Backend } from "../domain/backends.ts";
import type { RunOptions, Verdict } from "../domain/handler_port.ts";
import { ProteanError } from "../errors.ts";
import { streamIn } from "../message/envelope.ts";
import type { Message } from "../message/types.ts";
import { Attempts } from "./attempts.ts";
import type { Lane } from "./lane.ts";

/**
 * Entries that arrived together. Ownership is refreshed batch by batch, so that no map entry is made per
 * message.
 */
export interface Batch {
  readonly lane: Lane<Delivery>;
  /** Those that are over may be left out. */
  deliveries: Delivery[];
  /** Deliveries not yet acknowledged, dead-lettered or lost. */
  open: number;
}

/**
 * `queued` waits for a worker; `held` waits behind its stream; `running` is in the handler; `waiting` backs
 * off; `closing` has its outcome, which the broker is being told; `done` is over.
 */
export type Stage = "queued" | "held" | "running" | "waiting" | "closing" | "done";

/**
 * Why this process may not bring it to its end, each stronger than the one before: the handler was told to
 * stop, somebody else has claimed the entry, the drain has given it up.
 */
export type Ending = "cut" | "lost" | "abandoned";
const NONE: readonly Backend[] = [];
const ENDINGS: readonly Ending[] = ["cut", "lost", "abandoned"];

let move: (delivery: Delivery, stage: Stage) => void;

/** Only the inbox imports this: the stage has one owner (ADR 8). */
export function moveTo(delivery: Delivery, stage: Stage): void {
  move(delivery, stage);
}

/** The key of one that nobody dares to decode yet, or has the time to; see `Delivery.key`. */
export function keyOf({ id, text }: Delivery): string {
  return streamIn(text) || id;
}

export class Delivery implements RunOptions {
  #stage: Stage = "queued";
  /** Holds its key's place in the order gate. Changed by the inbox alone. */
  inside = false;
  /** Set once decoded, where the handler wants it. */
  message: Message | undefined;
  /**
   * Set once judged. `poison`: the outcome is the dead-letter stream, only that is tried again, never the
   * handler.
   */
  verdict: Verdict | undefined;
  /**
   * `headers.stream`: messages of one stream run one at a time, in order. The entry's own id where a message
   * has none. Empty until it is known, and never changed afterwards.
   */
  key = "";
  /** See `RunOptions`; set for a message without `headers.id`. */
  source: string | undefined;
  /** See `RunOptions`; set for what a replayed window asks for once more. */
  generation: string | undefined;
  readonly attempts: Attempts;
  firstFailedAt: number | undefined;
  /** When its handler was started last, on the clock's monotonic scale. */
  startedAt = -Infinity;
  /**
   * The circuit breaker has counted its failure. Once is enough until it is decided: the retries of a few
   * messages that cannot succeed are no sign of a broken handler. What a process before has begun, and dead
   * letters that are replayed, count as counted: what has failed there comes in a row here.
   */
  blamed: boolean;
  /** What has committed a part of its work. */
  backends: readonly Backend[] = NONE;
  /** Its worker has taken it and not begun its handler: counted by the `Crowd`. */
  coming = false;
  /** It was told that the broker refuses what its outcome needs. */
  refused = false;
  /** What its outcome needs failed, and not for want of a broker. */
  faulted = false;
  /**
   * Its text is at the broker only, see `Holdings`. Changed by the inbox alone, like the one that follows.
   */
  parked = false;
  resting = false;
  /** It is settled: nothing of it is left to do. */
  over = false;
  /** Called when it is. */
  whenOver: (() => void) | undefined;
  /** Called when it must not be brought to its end here, or may not be. */
  whenEnded: ((reason: Error | undefined) => void) | undefined;
  /** Its text is no more than the beginning of one that is larger than what is received. */
  truncated: TooLarge | undefined;
  /**
   * It may have killed the processes that had it, so it runs with no other suspect beside it and is
   * acknowledged before the next (delivery 23). Set when it is recovered, before its key is entered.
   */
  suspect = false;
  /** On the clock's monotonic scale: its handler wants it no earlier. */
  notBefore = 0;
  /** Decodes it; set once it was judged. */
  reader: ((delivery: Delivery) => Message) | undefined;
  #ended: Ending | undefined;
  #abort: AbortController | undefined;
  #givenUp: AbortController | undefined;

  constructor(
    readonly id: string,
    public text: string | undefined,
    readonly batch: Batch,
    count: number,
    recovered: boolean,
  ) {
    this.attempts = new Attempts(count, recovered);
    this.blamed = recovered && count > 0 || batch.lane.kind === "replay";
  }

  static {
    move = (delivery, stage) => void (delivery.#stage = stage);
  }

  get stage(): Stage {
    return this.#stage;
  }

  /** Throws what decoding throws, and where nobody has judged it yet. */
  again(): Message {
    if (!this.reader) throw new ProteanError(`Entry ${this.id} is read again before it was judged.`);
    return this.reader(this);
  }

  /** Made when first asked for: most handlers never look. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    return this.#abort.signal;
  }

  get ended(): Ending | undefined {
    return this.#ended;
  }

  /**
   * What the event store or a dead-letter queue gives again, or what a key stands still at, may have been
   * handled.
   */
  get fresh(): boolean {
    const { kind, source } = this.batch.lane;
    return this.attempts.fresh && (kind === "main" || kind === "backfill") && !source.setAside &&
      !source.halt;
  }

  committed(backend: Backend): void {
    this.backends = [...this.backends, backend];
  }

  mayCommit(): boolean {
    if (this.#ended !== undefined && this.#ended !== "cut") return false;
    return this.batch.lane.source.mayCommit?.() ?? true;
  }

  /** Made when first asked for, which is once it was cut. */
  get givenUp(): AbortSignal {
    this.#givenUp ??= new AbortController();
    if (!this.mayCommit()) this.#givenUp.abort();
    return this.#givenUp.signal;
  }

  /** Aborts the handler's signal. */
  end(ending: Ending, reason?: Error): void {
    if (this.#ended === undefined || ENDINGS.indexOf(ending) > ENDINGS.indexOf(this.#ended)) {
      this.#ended = ending;
    }
    this.#abort ??= new AbortController();
    this.#abort.abort(reason);
    if (!this.mayCommit()) this.#givenUp?.abort();
    this.whenEnded?.(reason);
  }

  /** Of its text, as far as that is here, in UTF-16 units. */
  get size(): number {
    return this.text?.length ?? 0;
  }

  /** Nothing of it is needed any more; its batch may live on for long, for the sake of one that backs off. */
  letGo(): void {
    this.over = true;
    this.whenOver?.();
    this.text = undefined;
    this.message = undefined;
    this.verdict = undefined;
  }

  /** Only what it is known by is kept, and why it failed for good. */
  park(): void {
    this.parked = true;
    this.text = undefined;
    this.forget();
  }

  /** What was decoded, which may be many times the text, goes; it is judged again when its turn comes. */
  forget(): void {
    this.message = undefined;
    if (this.verdict?.kind !== "poison") this.verdict = undefined;
  }
}
