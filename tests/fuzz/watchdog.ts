/**
 * Tells the input that a check never comes back from: the thread of the check cannot.
 *
 * @module
 */

/** Longest input that is told, in UTF-16 units. */
const MAX_TEXT = 1 << 20;
const HEAD_BYTES = 8;

/** What both threads see: how often something began or ended (odd: it runs), and the input's text. */
export class Shared {
  readonly #head: Int32Array;
  readonly #text: Uint16Array;

  constructor(readonly memory = new SharedArrayBuffer(HEAD_BYTES + 2 * MAX_TEXT)) {
    this.#head = new Int32Array(memory, 0, 2);
    this.#text = new Uint16Array(memory, HEAD_BYTES);
  }

  get turns(): number {
    return Atomics.load(this.#head, 0);
  }

  get text(): string {
    return new TextDecoder("utf-16le").decode(this.#text.slice(0, Atomics.load(this.#head, 1)));
  }

  turn(text = ""): void {
    const length = Math.min(text.length, MAX_TEXT);
    for (let at = 0; at < length; at++) this.#text[at] = text.charCodeAt(at);
    Atomics.store(this.#head, 1, length);
    Atomics.add(this.#head, 0, 1);
  }
}

/** What the watching side is told. */
export interface Watched {
  readonly memory: SharedArrayBuffer;
  readonly hangingMs: number;
}

/** One check after the other; the process is killed when one takes `hangingMs`. @default 60000 */
export class Watchdog {
  readonly #shared = new Shared();
  readonly #worker = new Worker(new URL("./watchdog_worker.ts", import.meta.url), { type: "module" });

  constructor(hangingMs = 60_000) {
    this.#worker.postMessage({ memory: this.#shared.memory, hangingMs } satisfies Watched);
  }

  begin(describe: () => string): void {
    this.#shared.turn(describe());
  }

  end(): void {
    this.#shared.turn();
  }

  stop(): void {
    this.#worker.terminate();
  }
}
