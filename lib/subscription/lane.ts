/**
 * One of the ways by which messages reach a subscription: a source, and the acknowledgements that go back to
 * it.
 *
 * @module
 */
import type { Clock } from "../async/clock.ts";
import type { WorkReporter } from "../status/work_health.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import type { Source } from "./source.ts";

/**
 * `main`: the stream itself. `backfill`: what can wait (PIPE-12). `replay`: dead letters on their way back to
 * the group that failed (delivery 19). `failed`: messages of the event store that have failed, tried again
 * (wire 4.6). `partition`: the stream of one key of a parted category (wire 2.11).
 */
export type LaneKind = "main" | "backfill" | "replay" | "failed" | "partition";

export class Lane<T extends { readonly id: string }> {
  readonly acks: Acknowledgements<T>;

  /**
   * `settled` is called for each item once the source has taken its acknowledgement; `acknowledging` is told
   * how that goes.
   */
  constructor(
    readonly kind: LaneKind,
    readonly source: Source,
    clock: Clock,
    settled: (item: T) => void,
    /** Told how acknowledging goes. */
    acknowledging?: WorkReporter,
    /** Bytes of the largest text that is taken in whole; of a larger one, the beginning is. */
    readonly maxEntryBytes: number = Infinity,
  ) {
    this.acks = new Acknowledgements(source, clock, settled, acknowledging);
  }

  get name(): string {
    return this.source.name;
  }

  /**
   * Takes the acknowledgement of a finished item. A promise where it is sent by itself, `now` or because
   * reads are rare here.
   */
  acknowledge(item: T, now: boolean): Promise<void> | void {
    this.acks.add(item);
    if (now || this.kind !== "main") return this.acks.flush();
  }
}
