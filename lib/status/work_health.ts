/**
 * How the work of the services goes with the components that it needs. A ping can be answered by a backend
 * that does no work: a full Redis, a standby, a server behind a pooler. So services report what became of
 * their work, and readiness listens (HLT-2).
 *
 * @module
 */
import type { AdapterKind } from "../adapters/ports.ts";
import type { Clock } from "../async/clock.ts";
import { RefusedError, UnavailableError } from "../errors.ts";

/**
 * So long may the work of a service fail before readiness says so: a short outage is no reason to take a pod
 * out.
 */
export const TOLERATED_MS = 5_000;

/**
 * A failure that was not seen again for so long is about work that is no more: whoever has work tries every
 * five seconds (PIPE-11). Without this a processor whose rows another one has published would be unready
 * until the next commit.
 */
export const FORGOTTEN_MS = 30_000;

/**
 * Where one service tells of its work with one component. Reporting what was reported already costs nothing.
 */
export interface WorkReporter {
  /** The component did what was asked of it, or nothing is asked of it any more. */
  ok(): void;
  /**
   * It did not, for this reason; to be told at every try. `againInMs`: so long it may be until the next one.
   * @default 0
   */
  unavailable(reason: string, againInMs?: number): void;
}

/**
 * Settles as `work` does, which is something that is answered at once as a rule. While it is not answered for
 * longer than is tolerated, its component counts as unavailable.
 */
export type Asking = <T>(work: Promise<T>) => Promise<T>;

/** Where the handlers of one subscription tell of their work with one component. */
export interface HandlerReporter extends WorkReporter {
  /** A unit of work with it was committed. */
  committed(): void;
  /** Units of work with it that were committed so far, whoever's of this process. */
  readonly commits: number;
}

/** Where something is told that explains nothing where others have a reason. */
export interface WatchReporter extends WorkReporter {
  /** Others tell of the component already. */
  readonly othersTell: boolean;
}

/**
 * Settles as `work` does, and tells `reporter` of it: only a backend that is away, or refuses, has not done
 * what was asked of it. `againInMs`: see `WorkReporter.unavailable`.
 */
export async function reporting<T>(reporter: WorkReporter, work: Promise<T>, againInMs = 0): Promise<T> {
  try {
    const result = await work;
    reporter.ok();
    return result;
  } catch (error) {
    if (error instanceof UnavailableError || error instanceof RefusedError) {
      reporter.unavailable(error.message, againInMs);
    } else reporter.ok();
    throw error;
  }
}

/** For services that nobody listens to. */
export const unheard: WorkReporter = { ok: () => {}, unavailable: () => {} };

interface Failing {
  readonly reason: string;
  /** Monotonic: the first time, and when it is forgotten. */
  readonly since: number;
  readonly until: number;
}

/** Of one component. */
interface ComponentRecord {
  readonly failing: Map<symbol, Failing>;
  /** What was asked and is not answered, and when (monotonic). */
  readonly asked: Map<symbol, number>;
  commits: number;
  /** Whether the last pings were answered; as far as anybody has asked. */
  isAnswering: boolean;
}

const healths = new WeakMap<object, WorkHealth>();

/** The one of everything that works in this process on an initialised domain. */
export function workHealthOf(runtime: { readonly clock: Clock }): WorkHealth {
  const known = healths.get(runtime) ?? new WorkHealth(runtime.clock);
  healths.set(runtime, known);
  return known;
}

/** The last outcome of every service's work, by component. */
export class WorkHealth {
  readonly #clock: Clock;
  readonly #records = new Map<string, ComponentRecord>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A reporter of its own for each service, so that one that works does not hide one that does not. */
  reporter(kind: AdapterKind, name: string): WorkReporter {
    return this.#reporter(this.#of(kind, name));
  }

  /** As `reporter`, for handlers: what they commit is counted, all together. */
  handlerReporter(kind: AdapterKind, name: string): HandlerReporter {
    const record = this.#of(kind, name);
    const { ok, unavailable } = this.#reporter(record);
    return {
      ...{ ok, unavailable },
      committed: () => {
        record.commits++;
        if (record.failing.size > 0) ok();
      },
      get commits() {
        return record.commits;
      },
    };
  }

  /** As `reporter`, for who looks on and does not ask anything of the component itself. */
  watchReporter(kind: AdapterKind, name: string): WatchReporter {
    return this.#reporter(this.#of(kind, name));
  }

  /** For work that a component may leave without an answer while it answers pings: behind a lock, say. */
  asking(kind: AdapterKind, name: string): Asking {
    const { asked } = this.#of(kind, name);
    return async (work) => {
      const question = Symbol();
      asked.set(question, this.#clock.monotonic());
      try {
        return await work;
      } finally {
        asked.delete(question);
      }
    };
  }

  /** Whether the component has answered its pings. */
  pinged(kind: AdapterKind, name: string, isAnswering: boolean): void {
    this.#of(kind, name).isAnswering = isAnswering;
  }

  /** True unless its pings have told otherwise. */
  answers(kind: AdapterKind, name: string): boolean {
    return this.#of(kind, name).isAnswering;
  }

  /**
   * Why a component counts as unavailable: the reason of the work that has failed longest. Undefined: it does
   * not.
   */
  fault(kind: AdapterKind, name: string): string | undefined {
    const longest = this.#longest(kind, name);
    const isLong = longest !== undefined && this.#clock.monotonic() - longest.since > TOLERATED_MS;
    return isLong ? longest.reason : this.#unanswered(kind, name);
  }

  /**
   * As `fault`, however short the work has failed: what was unavailable is so until all of it goes well, lest
   * it comes and goes while one service after the other finds the end of an outage.
   */
  trouble(kind: AdapterKind, name: string): string | undefined {
    return this.#longest(kind, name)?.reason ?? this.#unanswered(kind, name);
  }

  #unanswered(kind: AdapterKind, name: string): string | undefined {
    const [since] = this.#of(kind, name).asked.values();
    const ms = since === undefined ? 0 : this.#clock.monotonic() - since;
    if (ms <= TOLERATED_MS) return undefined;
    return `The ${
      kind.replace("_", " ")
    } '${name}' answers pings and has not answered what was asked of it for ` +
      `${Math.round(ms / 1000)} s: see what holds a lock there.`;
  }

  #longest(kind: AdapterKind, name: string): Failing | undefined {
    const failing = this.#failing(this.#of(kind, name)).map(([, each]) => each);
    return failing.sort((a, b) => a.since - b.since)[0];
  }

  /** What is not forgotten yet. */
  #failing({ failing }: ComponentRecord): (readonly [symbol, Failing])[] {
    const now = this.#clock.monotonic();
    return [...failing].filter(([, { until }]) => now <= until);
  }

  #reporter(record: ComponentRecord): WatchReporter {
    const { failing } = record;
    const service = Symbol();
    const othersTell = () => this.#failing(record).some(([other]) => other !== service);
    return {
      ok: () => void failing.delete(service),
      unavailable: (reason, againInMs = 0) => {
        const now = this.#clock.monotonic();
        const before = failing.get(service);
        const since = before && now <= before.until ? before.since : now;
        failing.set(service, { reason, since, until: now + againInMs + FORGOTTEN_MS });
      },
      get othersTell() {
        return othersTell();
      },
    };
  }

  #of(kind: AdapterKind, name: string): ComponentRecord {
    const key = `${kind}/${name}`;
    const found = this.#records.get(key) ??
      { failing: new Map(), asked: new Map(), commits: 0, isAnswering: true };
    this.#records.set(key, found);
    return found;
  }
}
