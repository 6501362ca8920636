/**
 * How the work of the services goes with the components that it needs. A ping can be answered by a backend
 * that does no work: a full Redis, a standby, a server behind a pooler. So services report what became of
 * their work, and readiness listens (HLT-2).
 *
 * @module
 */
import type { AdapterKind } from "../adapters/ports.ts";
import type { Clock } from "../async/clock.ts";

/**
 * So long may the work of a service fail before readiness says so: a short outage is no reason to take a pod
 * out.
 */
export const TOLERATED_MS = 5_000;

/**
 * Where one service tells of its work with one component. Reporting what was reported already costs nothing.
 */
export interface WorkReporter {
  /** The component did what was asked of it; also: there is no work that would fail. */
  ok(): void;
  /** It did not, for this reason. */
  unavailable(reason: string): void;
}

/** For services that nobody listens to. */
export const unheard: WorkReporter = { ok: () => {}, unavailable: () => {} };

interface Failing {
  readonly reason: string;
  /** Monotonic. */
  readonly since: number;
}

/** The last outcome of every service's work, by component. */
export class WorkHealth {
  readonly #clock: Clock;
  readonly #failing = new Map<string, Map<symbol, Failing>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A reporter of its own for each service, so that one that works does not hide one that does not. */
  reporter(kind: AdapterKind, name: string): WorkReporter {
    const service = Symbol();
    const failing = this.#of(kind, name);
    return {
      ok: () => void failing.delete(service),
      unavailable: (reason) => {
        const since = failing.get(service)?.since ?? this.#clock.monotonic();
        failing.set(service, { reason, since });
      },
    };
  }

  /**
   * Why a component counts as unavailable: the reason of the work that has failed longest. Undefined: it does
   * not.
   */
  fault(kind: AdapterKind, name: string): string | undefined {
    const [longest] = [...this.#of(kind, name).values()].sort((a, b) => a.since - b.since);
    if (!longest || this.#clock.monotonic() - longest.since <= TOLERATED_MS) return undefined;
    return longest.reason;
  }

  #of(kind: AdapterKind, name: string): Map<symbol, Failing> {
    const key = `${kind}/${name}`;
    const found = this.#failing.get(key) ?? new Map<symbol, Failing>();
    this.#failing.set(key, found);
    return found;
  }
}
