/**
 * The rollups of one process, on one adapter.
 *
 * @module
 */
import type { Clock } from "../../async/clock.ts";
import { addedRollup, type Rollup, ROLLUP_KEPT_MS, type Rollups } from "../ports.ts";

export class MemoryRollups implements Rollups {
  /** Of each subscription by minute. */
  readonly #kept = new Map<string, Map<number, Rollup>>();

  constructor(private readonly clock: Clock) {}

  add(rollups: readonly Rollup[]): Promise<void> {
    const oldest = (this.clock.now() - ROLLUP_KEPT_MS) / 60_000;
    for (const rollup of rollups) {
      const minutes = this.#kept.get(rollup.subscription) ?? new Map<number, Rollup>();
      this.#kept.set(rollup.subscription, minutes);
      for (const minute of minutes.keys()) if (minute < oldest) minutes.delete(minute);
      const before = minutes.get(rollup.minute);
      minutes.set(rollup.minute, before ? addedRollup(before, rollup) : rollup);
    }
    return Promise.resolve();
  }

  read(subscription: string, from: number, to: number): Promise<readonly Rollup[]> {
    const oldest = (this.clock.now() - ROLLUP_KEPT_MS) / 60_000;
    const found = [...this.#kept.get(subscription)?.values() ?? []].filter(({ minute }) =>
      minute >= from && minute < to && minute >= oldest
    );
    return Promise.resolve(found.sort((a, b) => a.minute - b.minute));
  }
}
