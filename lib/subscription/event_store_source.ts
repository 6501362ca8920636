/**
 * The two ways by which messages of the event store reach their handler: the category, read in order, and
 * those of it that have failed. Both are one reader's alone, for as long as it holds its lock.
 *
 * @module
 */
import type { StoredEvent } from "../adapters/ports.ts";
import type { FailedMessage } from "../status/store_progress.ts";
import type { FailedPositions } from "./failed_positions.ts";
import type { ReadPosition } from "./read_position.ts";
import type { ReadProgress } from "./read_progress.ts";
import type { Delivery } from "./delivery.ts";
import { Lane } from "./lane.ts";
import type { Source } from "./source.ts";
import { storedId } from "./stored_message.ts";

/** What both share: whose they are, and where their outcomes are kept. */
export interface StoreHold {
  readonly category: string;
  readonly group: string;
  readonly failures: FailedPositions;
  readonly position: ReadPosition;
  /** There are no recovery passes: what fails is given up. */
  readonly isGivenUpAtOnce: boolean;
  /** Whether this process is still the only one that reads. */
  readonly isOurs: () => boolean;
  /** Asks the store whether somebody else has taken over. Rejects where that does not answer. */
  readonly assure: () => Promise<void>;
}

/** A message at work. */
interface AtWork {
  readonly message: FailedMessage;
  /** Its failure is recorded before it is started, lest it kills one process after the other. */
  readonly isCautious: boolean;
  isRecorded: boolean;
  /** Where its failure could not be recorded: how it was to be. */
  isFinal?: boolean;
}

abstract class StoreSource implements Source {
  readonly name: string;
  readonly origin: string;
  readonly group: string;
  readonly isGivenUpAtOnce: boolean;
  protected readonly atWork = new Map<string, AtWork>();

  constructor(protected readonly hold: StoreHold) {
    this.name = hold.category;
    this.origin = hold.category;
    this.group = hold.group;
    this.isGivenUpAtOnce = hold.isGivenUpAtOnce;
  }

  /** Whether the message is at work. */
  has(position: number): boolean {
    return this.atWork.has(String(position));
  }

  mayCommit(): boolean {
    return this.hold.isOurs();
  }

  async refresh(ids: readonly string[]): Promise<readonly string[]> {
    if (this.hold.isOurs()) await this.hold.assure();
    return this.hold.isOurs() ? [] : ids;
  }

  /** A start after the first, or one that may kill its process: that is recorded first. */
  async attempt(id: string): Promise<number | undefined> {
    const work = this.atWork.get(id);
    if (!work || !this.hold.isOurs()) return undefined;
    if (work.isCautious && !work.isRecorded) {
      await this.hold.failures.failed(work.message);
      work.isRecorded = true;
    }
    return work.message.retryCount + 1;
  }

  async setAside(id: string, isFinal: boolean): Promise<boolean> {
    const work = this.atWork.get(id);
    if (!work || !this.hold.isOurs()) return false;
    // One that is tried again comes as final.
    work.isFinal ??= isFinal || this.isGivenUpAtOnce;
    if (work.isFinal) await this.hold.failures.exhausted(work.message);
    else if (!work.isRecorded) await this.hold.failures.failed(work.message);
    this.over(id, work);
    // Where it cannot be kept now, it is with the next message.
    await this.hold.position.due().catch(() => {});
    return true;
  }

  async confirm(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const work = this.atWork.get(id);
      if (!work) continue;
      if (work.isRecorded) await this.hold.failures.resolved(work.message);
      this.over(id, work);
    }
    await this.hold.position.due();
  }

  /** Dead letters are the failed positions here: `setAside` keeps them. */
  reject(): Promise<boolean> {
    return Promise.resolve(false);
  }

  handOver(): Promise<"nobody"> {
    return Promise.resolve("nobody");
  }

  release(_entries: readonly { readonly id: string }[]): Promise<void> {
    return Promise.resolve();
  }

  releaseUnknown(): Promise<void> {
    return Promise.resolve();
  }

  retire(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Its outcome is kept. */
  protected abstract over(id: string, work: AtWork): void;
}

/** The category itself. What was read and is not finished is read again by whoever comes next. */
export class CategorySource extends StoreSource {
  readonly #progress: ReadProgress;

  constructor(hold: StoreHold, progress: ReadProgress) {
    super(hold);
    this.#progress = progress;
  }

  /** A message was read, and is worked on from now on. */
  begin(event: StoredEvent, isCautious: boolean): void {
    const { globalPosition: position, type, stream, position: streamPosition } = event;
    const message = { position, retryCount: 0, type, id: storedId(event), stream, streamPosition };
    this.atWork.set(String(position), { message, isCautious, isRecorded: false });
    this.#progress.begin(position);
  }

  override async retire(): Promise<void> {
    await this.hold.position.keep();
  }

  protected over(id: string, { message }: AtWork): void {
    this.atWork.delete(id);
    this.#progress.end(message.position);
  }
}

/** Those that have failed, each with its next retry counted. */
export class FailedSource extends StoreSource {
  begin(message: FailedMessage): void {
    this.atWork.set(String(message.position), { message, isCautious: true, isRecorded: false });
  }

  /** What was begun and came to nothing is no retry. */
  override async release(entries: readonly { readonly id: string }[]): Promise<void> {
    for (const { id } of entries) {
      const { isRecorded, message } = this.atWork.get(id) ?? {};
      if (isRecorded && message) {
        await this.hold.failures.failed({ ...message, retryCount: message.retryCount - 1 });
      }
    }
  }

  protected over(id: string): void {
    this.atWork.delete(id);
  }
}

/** Acknowledgements are kept in memory until the position is: they need not wait for a read to take them. */
export class StoreLane extends Lane<Delivery> {
  override acknowledge(delivery: Delivery): Promise<void> {
    this.acks.add(delivery);
    return this.acks.flush();
  }
}
