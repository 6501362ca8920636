/**
 * Connections that fall silent in the middle of a statement. A network that forgets a connection closes
 * nothing: a statement whose answer is lost looks like one that takes long, and only the server can tell them
 * apart. So when nothing has come in for a while, the server is asked on a connection opened for that.
 * Whoever is at work there may take any time: that is for `statement_timeout` to limit. Who has ended, or
 * waits for us while we wait for it, will never answer. Who waits for a lock of a session of ours that stands
 * still would wait for ever: that session is ended.
 *
 * A connection that works costs one comparison for each statement; one timer looks at all of them.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { onAbort, timeLimit } from "../../../async/abort.ts";
import type { Clock } from "../../../async/clock.ts";
import { asError, ConfigurationError } from "../../../errors.ts";
import { activities, type Activity, endWaiting } from "./activity.ts";
import type { Connection } from "./connection.ts";
import { isServerError } from "./errors.ts";
import { endBlocking } from "./still_sessions.ts";
import type { Place } from "./uri.ts";

const log = getLogger(["protean", "postgres"]);

/**
 * Between two rounds. A statement that has had no answer for so long is a rare one, and asking costs a few
 * milliseconds. A connection whose bytes are swallowed is noticed at the first round, asked about at two more,
 * and given up within 5 s.
 */
export const ROUND_MS = 1500;
/** The same while all that is silent is at work: to be asked about that again and again helps nobody. */
const WORKING_ROUND_MS = 5000;
/**
 * One look may fall between the server's answer and its arrival here, or into a moment's outage; two in a row
 * do not.
 */
const LOOKS = 2;

/** What a look has found about a silent connection. */
type Finding = Activity | "gone" | "unreachable";

const reasons: Record<Exclude<Finding, "working">, string> = {
  waiting: "the server waits for us: what is sent does not arrive",
  gone: "the server does not know it any more",
  unreachable: "the server cannot be reached",
};

export interface SilenceWatchOptions {
  /** For messages: the key in `domain.toml`. */
  readonly name: string;
  readonly clock: Clock;
  /** Longest wait for the server to say who is at work. */
  readonly timeoutMs: number;
  /** Opens one more connection to a place; bounded. */
  readonly open: (place: Place, signal: AbortSignal) => Promise<Connection>;
}

interface Watched {
  /** What had come in by the last round; undefined when no statement ran then. */
  received: number | undefined;
  /** Looks in a row that have not found its backend at work. */
  misses: number;
}

export class SilenceWatch {
  readonly #options: SilenceWatchOptions;
  readonly #watched = new Map<Connection, Watched>();
  /** Backends whose connection was given up and that may still hold locks, and where they are. */
  readonly #left = new Map<string, Place>();
  readonly #closing = new AbortController();
  /** A round is due or under way. */
  #awake = false;
  #roundMs = ROUND_MS;
  #cancelTimer = () => {};
  #round: Promise<void> = Promise.resolve();

  constructor(options: SilenceWatchOptions) {
    this.#options = options;
  }

  /** Watches a connection until it ends; one that the server does not list cannot be. */
  add(connection: Connection): void {
    if (connection.backend === undefined) return;
    this.#watched.set(connection, { received: undefined, misses: 0 });
    void connection.ended.then(() => this.#watched.delete(connection));
  }

  /** Backends of which a statement has waited for its answer for so long. */
  waiting(ms: number): readonly string[] {
    return [...this.#watched.keys()].flatMap((connection) =>
      connection.backend !== undefined && connection.waitingMs >= ms ? connection.backend : []
    );
  }

  /** To be called when a statement begins: rounds go on while any runs. */
  wake(): void {
    if (this.#awake || this.#closing.signal.aborted) return;
    this.#awake = true;
    this.#cancelTimer = this.#options.clock.after(this.#roundMs, () => this.#round = this.#goRound());
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#cancelTimer();
    this.#closing.abort(new Error("the domain is closed"));
    await this.#round;
  }

  async #goRound(): Promise<void> {
    const silent = [...this.#watched].filter(([connection, watched]) => isSilent(connection, watched))
      .map(([connection]) => connection);
    const places = new Set([...silent.map(({ place }) => place), ...this.#left.values()]);
    await Promise.all(
      [...places].map((place) =>
        this.#look(place, silent.filter((connection) => connection.place === place))
      ),
    );
    this.#awake = false;
    const atWork = silent.length > 0 &&
      silent.every((connection) => this.#watched.get(connection)?.misses === 0);
    this.#roundMs = atWork ? Math.min(WORKING_ROUND_MS, 2 * this.#roundMs) : ROUND_MS;
    const running = [...this.#watched.keys()].some(({ busy }) => busy);
    if (running || this.#left.size > 0) this.wake();
  }

  /**
   * Asks the server at `place` about the silent ones there, and ends what is left of those given up. Never
   * throws.
   */
  async #look(place: Place, silent: readonly Connection[]): Promise<void> {
    const backends = [...silent.flatMap(({ backend = [] }) => backend), ...this.#leftAt(place)];
    try {
      await this.#ask(place, async (eye) => {
        const found = await activities(eye, backends);
        for (const backend of this.#leftAt(place)) if (!found.has(backend)) this.#left.delete(backend);
        for (const connection of silent) {
          this.#judge(connection, found.get(connection.backend ?? "") ?? "gone");
        }
        await this.#end(eye, place, [...found].filter(([, at]) => at === "working").map(([name]) => name));
      });
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      log.debug("database.look_failed", this.#told({ error: asError(error).message }));
      // A server that refuses is there, and says nothing about the others.
      if (isRefusal(error)) return;
      for (const connection of silent) this.#judge(connection, "unreachable");
    }
  }

  /** Ends what is left of connections given up, and who stands still in the way of those at work. */
  async #end(eye: Connection, place: Place, working: readonly string[]): Promise<void> {
    try {
      await endWaiting(eye, this.#leftAt(place));
      const sessions = await endBlocking(eye, working);
      if (sessions > 0) log.warn("database.still_sessions_ended", this.#told({ sessions }));
    } catch (error) {
      log.debug("database.backend_not_ended", this.#told({ error: asError(error).message }));
    }
  }

  async #ask(place: Place, question: (eye: Connection) => Promise<void>): Promise<void> {
    const { clock, open, timeoutMs } = this.#options;
    const { signal } = this.#closing;
    const eye = await open(place, signal);
    using limit = timeLimit(timeoutMs, clock, signal);
    using _ = onAbort(limit.signal, () => eye.destroy("it did not answer"));
    try {
      await question(eye);
    } finally {
      await eye.close();
    }
  }

  #judge(connection: Connection, finding: Finding): void {
    const watched = this.#watched.get(connection);
    // It may have answered while the server was asked.
    if (!watched || connection.lost || connection.received !== watched.received) return;
    if (finding === "working") {
      watched.misses = 0;
      return;
    }
    watched.misses++;
    if (finding !== "gone" && watched.misses < LOOKS) return;
    const { backend, place } = connection;
    // Its transaction may be open there, with locks that whoever tries the work again would wait for.
    if (finding !== "gone" && backend !== undefined) this.#left.set(backend, place);
    log.warn("database.connection_given_up", this.#told({ backend, reason: reasons[finding] }));
    connection.destroy(`it fell silent in the middle of a statement, and ${reasons[finding]}`);
  }

  #leftAt(place: Place): readonly string[] {
    return [...this.#left].filter(([, at]) => at === place).map(([backend]) => backend);
  }

  #told(more: Record<string, unknown>): Record<string, unknown> {
    return { database: this.#options.name, ...more };
  }
}

/**
 * True when a statement has run since before the last round and nothing has come in; notes what to compare
 * with next time.
 */
function isSilent(connection: Connection, watched: Watched): boolean {
  const received = connection.busy ? connection.received : undefined;
  const silent = received !== undefined && received === watched.received;
  if (!silent) Object.assign(watched, { received, misses: 0 } satisfies Watched);
  return silent;
}

function isRefusal(error: unknown): boolean {
  return error instanceof ConfigurationError || isServerError(error) || isServerError(asError(error).cause);
}
