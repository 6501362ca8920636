/**
 * Reading all of the event store without missing what is committed late (wire 4.7): a global position is taken
 * at the insert and seen at the commit, so a missing one may still come. What is behind a gap waits until the
 * gap is filled, or has been there for too long: then its transaction was rolled back.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";

const log = getLogger(["protean", "subscription"]);

export interface Settled<T> {
  /** Those that may be handled. */
  readonly messages: readonly T[];
  /** Global position up to which everything is there or given up. */
  readonly position: number;
  /** Until the first gap is given up, in ms; undefined: nothing is waited for. */
  readonly waitMs: number | undefined;
}

/** Positions that are missing, the first and the last of them, and since when (monotonic). */
interface Gap {
  readonly from: number;
  readonly to: number;
  readonly since: number;
}

export class GapWatch {
  readonly #timeoutMs: number;
  readonly #name: string;
  /** Those of the last read. */
  #gaps: readonly Gap[] = [];

  /** `name`: as logs name the reader. */
  constructor(name: string, timeoutSeconds: number) {
    this.#name = name;
    this.#timeoutMs = timeoutSeconds * 1000;
  }

  /** What of `read`, which comes right behind `position`, may be handled at the time `now` (monotonic). */
  settle<T extends { readonly globalPosition: number }>(
    read: readonly T[],
    position: number,
    now: number,
  ): Settled<T> {
    this.#gaps = this.#gapsIn(read, position, now);
    const held = this.#gaps.find(({ since }) => now - since < this.#timeoutMs);
    for (const gap of this.#gaps) {
      if (gap === held) break;
      this.#abandon(gap, now);
    }
    if (!held) {
      return { messages: read, position: read.at(-1)?.globalPosition ?? position, waitMs: undefined };
    }
    const messages = read.filter(({ globalPosition }) => globalPosition < held.from);
    return { messages, position: held.from - 1, waitMs: held.since + this.#timeoutMs - now };
  }

  /** A position that was missing before is missing since then. */
  #gapsIn(read: readonly { readonly globalPosition: number }[], position: number, now: number): Gap[] {
    const gaps: Gap[] = [];
    // Positions are counted from 1.
    let next = Math.max(1, position + 1);
    for (const { globalPosition } of read) {
      if (globalPosition > next) {
        const [from, to] = [next, globalPosition - 1];
        const known = this.#gaps.find((gap) => gap.from <= from && from <= gap.to);
        gaps.push({ from, to, since: known?.since ?? now });
      }
      next = globalPosition + 1;
    }
    return gaps;
  }

  #abandon({ from, to, since }: Gap, now: number): void {
    log.warn("subscription.gap_abandoned", {
      ...{ subscription: this.#name, from, to },
      waited_ms: Math.round(now - since),
    });
  }
}
