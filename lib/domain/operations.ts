/**
 * Operations as a team's code has them: `domain.operations`. The work is done by the room `operations`, which
 * stands above this one and registers itself.
 *
 * @module
 */
import { NotSupportedError } from "../errors.ts";
import type { DomainRuntime } from "./runtime.ts";

/** A letter or message that could not be dealt with, and why; `code` where an error of ours says it. */
export interface FailedLetter {
  readonly id: string;
  readonly why: string;
  readonly code?: string;
}

/** Work on many letters or messages that are meant together, and how far it is (operations 6). */
export interface Operation {
  readonly id: string;
  readonly kind: "replay" | "discard" | "restore" | "purge" | "window";
  /**
   * `planned`: not begun yet, or a dry run. `paused`: goes on with `resume`. `cancelled`: for good. `failed`: the
   * canary, or what `why` says.
   */
  readonly state: "planned" | "running" | "paused" | "done" | "cancelled" | "failed";
  /** Letters or messages that were meant when it was made; later ones are left alone. */
  readonly total: number;
  readonly done: number;
  /** Somebody else had them first. */
  readonly skipped: number;
  /** Those that stay where they are, and why; the first hundred. */
  readonly failed: readonly FailedLetter[];
  /** How many stay. */
  readonly failures: number;
  /** Why it ended, or stands, before its end. */
  readonly why?: string;
  /** What it was made for; times as ISO 8601. */
  readonly filter: Readonly<Record<string, string>>;
  readonly by: string;
  readonly reason?: string;
  /** Letters a second, at most. */
  readonly rate?: number;
  /** Letters that are sent first. */
  readonly canary?: number;
  /** A running server does it. */
  readonly detached: boolean;
  readonly created: Date;
  readonly ended?: Date;
}

/** Operations of a domain, whichever process made them; kept for thirty days. */
export interface Operations {
  /**
   * The newest first.
   *
   * @example
   * ```ts
   * const [last] = await domain.operations.list({ limit: 1 });
   * ```
   */
  list(options?: { limit?: number }): Promise<readonly Operation[]>;
  /**
   * Undefined where there is none.
   *
   * @example
   * ```ts
   * const operation = await domain.operations.get(id);
   * ```
   */
  get(id: string): Promise<Operation | undefined>;
  /**
   * Whoever runs it stops within a second. Throws `ProteanError` with the code `OPERATION_NOT_FOUND`, or
   * `OPERATION_ENDED`, as all of these do.
   *
   * @example
   * ```ts
   * await domain.operations.pause(id);
   * ```
   */
  pause(id: string): Promise<void>;
  /**
   * Goes on, here, where it stood, and resolves when it ends or is paused; `get` tells how. Also takes over what
   * a killed process has left, within 20 seconds. Throws `ProteanError` with the code `OPERATION_RUNNING` while
   * another process runs it.
   *
   * @example
   * ```ts
   * await domain.operations.resume(id);
   * ```
   */
  resume(id: string): Promise<void>;
  /**
   * Ends it for good; what it has done stays done.
   *
   * @example
   * ```ts
   * await domain.operations.cancel(id);
   * ```
   */
  cancel(id: string): Promise<void>;
}

type Open = (runtime: () => DomainRuntime) => Operations;

let open: Open | undefined;

/** Says how a domain's operations are worked on. */
export function registerOperations(how: Open): void {
  open = how;
}

/** The operations of a domain, whose runtime is asked for with each call. */
export function operationsOf(runtime: () => DomainRuntime): Operations {
  if (open) return open(runtime);
  throw new NotSupportedError("Operations need the whole library: import Domain from '@protean/server'.");
}
