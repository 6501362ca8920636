/**
 * A lane that is the stream of one key of a parted category (wire 2.11).
 *
 * @module
 */
import type { BaseBroker, Halt, Partition, PartitionLease } from "../../adapters/ports.ts";
import type { Clock } from "../../async/clock.ts";
import { FencedError } from "../../errors.ts";
import { describeError } from "../../message/describe_error.ts";
import { deadLetterStream } from "../../message/names.ts";
import { timeText } from "../../message/time.ts";
import { reporting, unheard, type WorkReporter } from "../../status/work_health.ts";
import type { Delivery } from "../delivery.ts";
import { Lane } from "../lane.ts";
import type { Source } from "../source.ts";

/** Longest error text that is noted of a partition that stands still, in bytes of UTF-8. */
const MAX_ERROR_BYTES = 1024;
/** Code of the error for a message that kills its process. */
const KILLER = "DELIVERIES_EXCEEDED";

export interface PartitionLaneParts {
  readonly category: string;
  readonly partition: Partition;
  readonly lease: PartitionLease;
  readonly clock: Clock;
  /** As declared. */
  readonly handler: string;
  /** Attempts that each owner makes at least one of before the partition stands still. */
  readonly maxRetries: number;
  /** The broker's `entries`. */
  readonly entries?: BaseBroker["entries"] | undefined;
  readonly maxEntryBytes?: number | undefined;
  readonly reporter: () => WorkReporter;
  readonly settled: (delivery: Delivery) => void;
}

export class PartitionLane extends Lane<Delivery> {
  readonly #lease: PartitionLease;
  readonly #source: PartitionSource;

  constructor(parts: PartitionLaneParts) {
    const source = new PartitionSource(parts);
    super("partition", source, parts.clock, parts.settled, unheard, parts.maxEntryBytes);
    this.#lease = parts.lease;
    this.#source = source;
  }

  /** The key is another's by now, or may be. */
  get lost(): boolean {
    return this.#lease.signal.aborted;
  }

  /** Whether its group stands still at this entry since it was read. */
  haltedAt(id: string): boolean {
    return this.#source.haltedAt === id;
  }
}

class PartitionSource implements Source {
  readonly name: string;
  readonly origin: string;
  readonly group: string;
  readonly fetch?: NonNullable<Source["fetch"]>;
  haltedAt: string | undefined;
  readonly #parts: PartitionLaneParts;
  readonly #work: WorkReporter;

  constructor(parts: PartitionLaneParts) {
    const { partition, entries, maxEntryBytes } = parts;
    this.#parts = parts;
    this.#work = parts.reporter();
    this.name = this.origin = partition.stream;
    this.group = partition.group;
    if (entries) this.fetch = (ids, maxBytes) => entries(partition.stream, ids, { maxBytes, maxEntryBytes });
  }

  /** Asks the clock too: a process that stood still knows before it commits anything. */
  mayCommit(): boolean {
    return !this.#parts.lease.signal.aborted;
  }

  attempt(id: string): Promise<number | undefined> {
    return reporting(this.#work, this.#parts.partition.attempt(id));
  }

  refresh(ids: readonly string[]): Promise<readonly string[]> {
    return this.#parts.partition.refresh(ids);
  }

  /** Of a key that was lost, nothing is acknowledged: who owns it handles the message again, or skips it. */
  async confirm(ids: readonly string[]): Promise<void> {
    try {
      await reporting(this.#work, this.#parts.partition.ack(ids));
    } catch (error) {
      if (!(error instanceof FencedError)) throw error;
    }
  }

  reject(id: string, text: string): Promise<boolean> {
    const { partition, category } = this.#parts;
    return reporting(this.#work, partition.deadLetter(id, deadLetterStream(category), text));
  }

  async halt(id: string, attempts: number, error: Error): Promise<boolean> {
    const { partition, clock, handler, maxRetries } = this.#parts;
    const { type, message } = describeError(error, MAX_ERROR_BYTES);
    const halt: Halt = {
      ...{ id, attempts, handler, error_type: type, error_message: message, owner: partition.consumer },
      halted_at: timeText(clock.now()),
    };
    // The next owner makes one attempt, which may find the handler mended; but not at what kills processes.
    const isKiller = "code" in error && error.code === KILLER;
    const count = isKiller ? attempts : Math.min(attempts, Math.max(0, maxRetries - 1));
    try {
      const halted = await reporting(this.#work, partition.halt(halt, count));
      if (halted) this.haltedAt = id;
      return halted;
    } catch (failure) {
      if (failure instanceof FencedError) return false;
      throw failure;
    }
  }

  /** Who owns a key reads all of it: there is nobody else to take a message of it alone. */
  handOver(): Promise<"nobody"> {
    return Promise.resolve("nobody");
  }

  release(entries: readonly { readonly id: string; readonly count: number }[]): Promise<void> {
    return this.#parts.partition.release(entries);
  }

  /** The next owner takes over whatever is pending, whoever knew of it. */
  releaseUnknown(): Promise<void> {
    return Promise.resolve();
  }

  async retire(): Promise<void> {
    await this.#parts.partition.retire();
  }

  /** Gives the key back, at once. */
  async close(): Promise<void> {
    await this.#parts.lease[Symbol.asyncDispose]();
  }
}
