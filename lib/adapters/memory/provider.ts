/**
 * A database in this process's memory, for tests and trials: the transactions of the others, and nothing left
 * at the end.
 *
 * @module
 */
import {
  type AdapterOptions,
  BaseProvider,
  type Lock,
  type ProviderCapabilities,
  type ProviderSession,
  type TableSpec,
} from "../ports.ts";
import type { MemoryEventLog } from "./event_log.ts";
import { MemoryLocks } from "./locks.ts";
import { MemoryOutbox } from "./outbox.ts";
import { RetentionClock } from "../retention_clock.ts";
import { type MemoryMarks, MemorySession } from "./session.ts";
import { MemoryTables } from "./tables.ts";

export class MemoryProvider extends BaseProvider {
  readonly capabilities: ProviderCapabilities = { sql: false, embedded: true };
  readonly outbox: MemoryOutbox;
  readonly #tables = new MemoryTables();
  readonly #locks = new MemoryLocks();
  readonly #marks: MemoryMarks = new Map();
  readonly #retention: RetentionClock;
  #events: MemoryEventLog | undefined;

  constructor(options: AdapterOptions) {
    super(options);
    this.#retention = new RetentionClock(options.clock, options.name);
    this.outbox = new MemoryOutbox(options.clock, this.#retention);
  }

  ping(signal: AbortSignal): Promise<void> {
    return Promise.resolve().then(() => signal.throwIfAborted());
  }

  setup(scope: "own" | "all", tables: readonly TableSpec[]): Promise<void> {
    if (scope === "all") { for (const { name } of tables) this.#tables.create(name); }
    return Promise.resolve();
  }

  /** Drops the given tables, and empties outbox and marks. */
  drop(tables: readonly TableSpec[]): Promise<void> {
    for (const { name } of tables) this.#tables.drop(name);
    return this.truncate([]);
  }

  verify(signal?: AbortSignal): Promise<void> {
    return Promise.resolve().then(() => signal?.throwIfAborted());
  }

  /** Empties the given tables, outbox and marks. */
  truncate(tables: readonly TableSpec[]): Promise<void> {
    for (const { name } of tables) this.#tables.truncate(name);
    this.outbox.clear();
    this.#marks.clear();
    return Promise.resolve();
  }

  /** Lets units of work append to an event store's log. False: they do already, to another one. */
  join(events: MemoryEventLog): boolean {
    this.#events ??= events;
    return this.#events === events;
  }

  session(): ProviderSession {
    const state = { tables: this.#tables, outbox: this.outbox, marks: this.#marks, events: this.#events };
    return new MemorySession(state, () => this.options.clock.now(), () => this.#retention.stamp());
  }

  override lock(name: string): Promise<Lock | undefined> {
    return this.#locks.lock(name);
  }

  override async close(): Promise<void> {
    await this.#locks.close();
  }

  cleanMarks(before: number, limit: number): Promise<number> {
    let count = 0;
    const cutOff = this.#retention.cutOff(before, () => this.#marks.values().next().value?.at);
    for (const [key, { at }] of this.#marks) {
      if (count >= limit || at >= cutOff) break;
      this.#marks.delete(key);
      count++;
    }
    return Promise.resolve(count);
  }
}
