/**
 * One look at the ends of all streams that readers without a connection wait for (design 8): however many
 * they are, one command asks for all of them, and each polls only when its stream has grown.
 *
 * @module
 */
import { type Clock, sleep } from "../../async/clock.ts";
import { Wakeup } from "../../async/wakeup.ts";
import type { StreamKey } from "./keys.ts";
import { UNREADABLE_END } from "./scripts.ts";

/** The pause after a look that found nothing new, doubled with every further one. */
const PAUSE_MS = { first: 5, last: 100 };
/** The same, where the streams cannot be looked at and every look makes every reader poll. */
const BLIND_PAUSE_MS = 200;

interface Watched {
  /** Its last id, as `streamEnds` tells it; empty: not known yet. */
  end: string;
  mark: number | undefined;
  waiting: number;
  readonly changed: Wakeup;
}

/** Asks the server with `streamEnds`. */
export type AskEnds = (
  keys: readonly StreamKey[],
  known: readonly string[],
  signal: AbortSignal,
) => Promise<unknown>;

export class StreamWatch {
  readonly #clock: Clock;
  readonly #ask: AskEnds;
  readonly #streams = new Map<StreamKey, Watched>();
  #waiting = 0;
  #marks = 0;
  #pauseMs = PAUSE_MS.first;
  #stop: AbortController | undefined;

  constructor(clock: Clock, ask: AskEnds) {
    this.#clock = clock;
    this.#ask = ask;
  }

  /**
   * A number that is another one once the stream has grown or gone. Undefined: nobody has looked yet. Taken
   * before a poll that finds nothing: so long as it is the same, a further one finds nothing.
   */
  mark(key: StreamKey): number | undefined {
    return this.#streams.get(key)?.mark;
  }

  /**
   * Resolves when the stream's mark is not `mark`, after `ms`, or when `signal` aborts. Never rejects: where
   * the server does not answer, the mark changes, and the poll tells.
   */
  async changed(key: StreamKey, mark: number | undefined, ms: number, signal: AbortSignal): Promise<void> {
    if (ms <= 0 || signal.aborted || this.mark(key) !== mark) return;
    const watched = this.#streams.get(key) ?? this.#watch(key);
    watched.waiting++;
    this.#waiting++;
    if (!this.#stop) void this.#run(this.#stop = new AbortController());
    await watched.changed.wait({ signal, ms, clock: this.#clock });
    watched.waiting--;
    if (--this.#waiting === 0) this.#end();
  }

  #watch(key: StreamKey): Watched {
    const watched: Watched = { end: "", mark: undefined, waiting: 0, changed: new Wakeup() };
    this.#streams.set(key, watched);
    this.#pauseMs = PAUSE_MS.first;
    return watched;
  }

  /** Nobody waits: what is known stays for who comes back at once. */
  #end(): void {
    this.#stop?.abort();
    this.#stop = undefined;
  }

  async #run({ signal }: AbortController): Promise<void> {
    while (true) {
      await sleep(this.#clock, this.#pauseMs, signal);
      if (signal.aborted) return;
      const found = await this.#look(signal).catch(() => this.#blind());
      const longest = found === "blind" ? BLIND_PAUSE_MS : PAUSE_MS.last;
      this.#pauseMs = found === "new" ? PAUSE_MS.first : Math.min(2 * this.#pauseMs, longest);
    }
  }

  async #look(signal: AbortSignal): Promise<"new" | "nothing" | "blind"> {
    for (const [key, { waiting }] of this.#streams) if (waiting === 0) this.#streams.delete(key);
    const looked = [...this.#streams];
    const ends = looked.map(([, { end }]) => end);
    const changes = await this.#ask(looked.map(([key]) => key), ends, signal) as readonly (string | number)[];
    let found: "new" | "nothing" | "blind" = "nothing";
    for (let at = 0; at + 1 < changes.length; at += 2) {
      const watched = looked[Number(changes[at]) - 1]?.[1];
      if (!watched) continue;
      const end = String(changes[at + 1]);
      const unreadable = end === UNREADABLE_END;
      watched.end = unreadable ? "" : end;
      this.#change(watched);
      if (!unreadable) found = "new";
      else if (found === "nothing") found = "blind";
    }
    return found;
  }

  /** As long as one cannot look, everybody polls. */
  #blind(): "blind" {
    for (const watched of this.#streams.values()) this.#change(watched);
    return "blind";
  }

  #change(watched: Watched): void {
    watched.mark = ++this.#marks;
    watched.changed.notify();
  }
}
