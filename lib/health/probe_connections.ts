/**
 * The open connections of the probe port: so many, for so long (M6). Who is too much makes room for who comes
 * now, so that clients which only hold connections never keep a probe waiting; but each has a moment first, so
 * that a flood of them does not push the probe out either.
 *
 * @module
 */
import { type Clock, sleep } from "../async/clock.ts";
import { answerOne, type ProbeConnection, type Responder } from "./probe_http.ts";

/** Probes come one at a time; descriptors are the whole process's. */
export const MAX_CONNECTIONS = 64;
/** Not above this either: further ones wait to be taken. */
export const MOST_CONNECTIONS = 256;
/** What each has before it makes room: the request of a probe comes with its connection. */
const LEAST_MS = 100;
/** From the first byte of the request, or its absence, to the end. */
export const DEADLINE_MS = 5_000;

interface Open {
  readonly conn: ProbeConnection;
  readonly done: Promise<void>;
  readonly began: number;
  answering: boolean;
}

export class ProbeConnections {
  /** Oldest first. */
  readonly #open = new Set<Open>();

  constructor(
    private readonly respond: Responder,
    private readonly clock: Clock,
  ) {}

  /** Answers its one request, in its own time. */
  take(conn: ProbeConnection): void {
    while (this.#open.size >= MAX_CONNECTIONS && this.#restMs() <= 0) void this.dropOldest();
    const ended = Promise.withResolvers<void>();
    const began = this.clock.monotonic();
    const open: Open = { conn, done: ended.promise, began, answering: false };
    this.#open.add(open);
    void this.#serve(open).finally(() => {
      this.#open.delete(open);
      ended.resolve();
    });
  }

  /** Resolves when one more may be taken, or `signal` aborts. */
  async room(signal: AbortSignal): Promise<void> {
    while (this.#open.size >= MOST_CONNECTIONS && !signal.aborted) {
      const restMs = this.#restMs();
      if (restMs > 0) await sleep(this.clock, restMs, signal);
      else await this.dropOldest();
    }
  }

  /** What is left of the moment that the oldest has. */
  #restMs(): number {
    const [oldest] = this.#open;
    return oldest ? oldest.began + LEAST_MS - this.clock.monotonic() : 0;
  }

  /**
   * Closes the one that has had the most time: what is honest was answered long before. Resolves when it is
   * gone; false: there was none.
   */
  async dropOldest(): Promise<boolean> {
    const [oldest] = this.#open;
    if (!oldest) return false;
    this.#open.delete(oldest);
    close(oldest.conn);
    await oldest.done;
    return true;
  }

  /** Closes those that ask for nothing, and resolves when the others have heard their answers. */
  async finish(): Promise<void> {
    for (const { conn, answering } of this.#open) if (!answering) close(conn);
    await Promise.all([...this.#open].map(({ done }) => done));
  }

  closeAll(): void {
    for (const { conn } of this.#open) close(conn);
  }

  async #serve(open: Open): Promise<void> {
    const cancel = this.clock.after(DEADLINE_MS, () => close(open.conn));
    try {
      await answerOne(open.conn, this.respond, () => open.answering = true);
    } catch {
      // The client went, or was made to go.
    } finally {
      cancel();
      close(open.conn);
    }
  }
}

/** Once is enough. */
function close(conn: ProbeConnection): void {
  try {
    conn.close();
  } catch {
    // It was closed before.
  }
}
