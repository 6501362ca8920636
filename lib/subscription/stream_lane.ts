/**
 * A lane that is a stream, read as one consumer of a group.
 *
 * @module
 */
import type { BaseBroker, HandedOver, ReadOptions, StreamEntry, StreamGroup } from "../adapters/ports.ts";
import { type Clock, elapsedMs, type Moment, momentOf } from "../async/clock.ts";
import { deadLetterStream } from "../message/names.ts";
import type { Delivery } from "./delivery.ts";
import type { WorkReporter } from "../status/work_health.ts";
import { Lane, type LaneKind } from "./lane.ts";
import { reportedSource } from "./reported_source.ts";
import type { Source } from "./source.ts";

/** Entries looked at in one step while everything is released. */
const PAGE = 1000;

export interface LaneOptions {
  /** The broker's `entries`. Absent: what was read has to be kept. */
  readonly entries?: BaseBroker["entries"] | undefined;
  /** The broker is a server, which tells the size of entries only by sending them. */
  readonly remote?: boolean;
  /** See `Lane`. */
  readonly maxEntryBytes?: number | undefined;
  /** Makes a reporter for each kind of work with the broker. @default nobody is told */
  readonly reporter?: (() => WorkReporter) | undefined;
}

export class StreamLane extends Lane<Delivery> {
  /** See `LaneOptions`. */
  readonly remote: boolean;
  readonly #clock: Clock;
  /** When the read that is under way began. */
  #reading: Moment | undefined;
  #wasEmpty = false;

  /** `origin`: the stream that the messages were first read from. */
  constructor(
    kind: LaneKind,
    readonly group: StreamGroup,
    origin: string,
    clock: Clock,
    settled: (delivery: Delivery) => void,
    options: LaneOptions = {},
  ) {
    const source = reportedSource(new StreamSource(group, origin, options), options.reporter);
    super(kind, source, clock, settled, options.reporter?.(), options.maxEntryBytes);
    this.remote = options.remote ?? false;
    this.#clock = clock;
  }

  /**
   * Reads, and gives what came to `take` before anybody can think it lost. Rejects as the group's `read` does.
   */
  async read(options: ReadOptions, take: (entries: readonly StreamEntry[]) => void): Promise<void> {
    this.#reading = momentOf(this.#clock);
    try {
      const entries = await this.group.read(options);
      this.#wasEmpty = entries.length === 0;
      take(entries);
    } finally {
      this.#reading = undefined;
    }
  }

  /** Whether the stream has nothing new: the last read found none, or one has waited so long for some. */
  isEmpty(waitedMs: number): boolean {
    if (this.#wasEmpty) return true;
    return this.#reading !== undefined && elapsedMs(this.#clock, this.#reading) >= waitedMs;
  }

  /** Whether an entry that was delivered to us so long ago may be in the answer that is on its way. */
  mayBeComing(idleMs: number): boolean {
    return this.#reading !== undefined && idleMs <= elapsedMs(this.#clock, this.#reading);
  }
}

class StreamSource implements Source {
  readonly name: string;
  readonly group: string;
  readonly fetch?: NonNullable<Source["fetch"]>;
  readonly postpone?: NonNullable<Source["postpone"]>;
  readonly forgetPostponed?: NonNullable<Source["forgetPostponed"]>;
  readonly #group: StreamGroup;

  constructor(group: StreamGroup, readonly origin: string, { entries, maxEntryBytes }: LaneOptions) {
    if (entries) this.fetch = (ids, maxBytes) => entries(group.stream, ids, { maxBytes, maxEntryBytes });
    const { postpone, forgetPostponed } = group;
    if (postpone) this.postpone = postpone.bind(group);
    if (forgetPostponed) this.forgetPostponed = (id) => forgetPostponed.call(group, [id]);
    this.name = group.stream;
    this.group = group.group;
    this.#group = group;
  }

  attempt(id: string): Promise<number | undefined> {
    return this.#group.attempt(id);
  }

  refresh(ids: readonly string[]): Promise<readonly string[]> {
    return this.#group.refresh(ids);
  }

  async confirm(ids: readonly string[]): Promise<void> {
    await this.#group.ack(ids);
  }

  reject(id: string, text: string): Promise<boolean> {
    return this.#group.deadLetter(id, deadLetterStream(this.origin), text);
  }

  handOver(id: string): Promise<HandedOver> {
    // Nobody else reads a replay lane.
    const isLane = this.name !== this.origin;
    return isLane || !this.#group.handOver ? Promise.resolve("nobody") : this.#group.handOver(id);
  }

  release(entries: readonly { readonly id: string; readonly count: number }[]): Promise<void> {
    return this.#group.release(entries);
  }

  async retire(): Promise<void> {
    await this.#group.retire();
  }

  close(): Promise<void> {
    return this.#group.close();
  }

  /** Entries that were delivered to us by a read that was cut: never started, so their count goes back. */
  async releaseUnknown(known: ReadonlySet<string>): Promise<void> {
    const group = this.#group;
    // One that was cut may still be on its way. Where there is no connection, the rest tells.
    await group.relink?.().catch(() => {});
    let after: string | undefined;
    while (true) {
      const page = await group.pending({
        consumer: group.consumer,
        limit: PAGE,
        ...(after === undefined ? {} : { after }),
      });
      const unknown = page.filter((entry) => !known.has(entry.id));
      if (unknown.length > 0) {
        await group.release(unknown.map(({ id, count }) => ({ id, count: Math.max(0, count - 1) })));
      }
      after = page.at(-1)?.id;
      if (after === undefined || page.length < PAGE) return;
    }
  }
}
