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
 * A failure that was not seen again for so long is about work that is no more: whoever has work tries every
 * five seconds (PIPE-11). Without this a processor whose rows another one has published would be unready
 * until the next commit.
 */
export const FORGOTTEN_MS = 30_000;

/**
 * Where one service tells of its work with one component. Reporting what was reported already costs nothing.
 */
export interface WorkReporter {
  /** The component did what was asked of it. */
  ok(): void;
  /** It did not, for this reason; to be told at every try. */
  unavailable(reason: string): void;
}

/** For services that nobody listens to. */
export const unheard: WorkReporter = { ok: () => {}, unavailable: () => {} };

interface Failing {
  readonly reason: string;
  /** Monotonic, as `seen`: the first time, and the last. */
  readonly since: number;
  readonly seen: number;
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
        const seen = this.#clock.monotonic();
        const before = failing.get(service);
        const isSame = before !== undefined && seen - before.seen <= FORGOTTEN_MS;
        failing.set(service, { reason, since: isSame ? before.since : seen, seen });
      },
    };
  }

  /**
   * Why a component counts as unavailable: the reason of the work that has failed longest. Undefined: it does
   * not.
   */
  fault(kind: AdapterKind, name: string): string | undefined {
    const now = this.#clock.monotonic();
    const failing = [...this.#of(kind, name).values()].filter(({ seen }) => now - seen <= FORGOTTEN_MS);
    const [longest] = failing.sort((a, b) => a.since - b.since);
    return longest && now - longest.since > TOLERATED_MS ? longest.reason : undefined;
  }

  #of(kind: AdapterKind, name: string): Map<symbol, Failing> {
    const key = `${kind}/${name}`;
    const found = this.#failing.get(key) ?? new Map<symbol, Failing>();
    this.#failing.set(key, found);
    return found;
  }
}
