/**
 * Where operations are made, run, paused and looked at (operations 6). One process at a time runs an
 * operation: it holds the broker's lock of that name, and writes in the name of a run that the next one
 * makes void.
 *
 * @module
 */
import {
  type BaseBroker,
  type Lock,
  type OperationRecords,
  type OperationState,
  UNFINISHED,
} from "../adapters/ports.ts";
import { OperationBook } from "../adapters/operation_book.ts";
import { joined } from "../async/abort.ts";
import { type Clock, sleep } from "../async/clock.ts";
import type { Operation } from "../domain/operations.ts";
import { subscriptionBroker } from "../domain/places.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { asError, NotSupportedError, ProteanError, RefusedError, UnavailableError } from "../errors.ts";
import {
  alikeText,
  type Asked,
  decodeRecord,
  encodeRecord,
  newRecord,
  type OperationRecord,
} from "./record.ts";
import { Running, Stop, type Work } from "./running.ts";

/** How often whoever runs an operation looks whether it is to stop. */
const LOOK_MS = 400;
/** Longer than the lock of a killed process stays, on Redis 15 s. */
const TAKEOVER_MS = 20_000;
const ASK_AGAIN_MS = 250;
/** Operations that a list looks at, of all domains on the broker. */
const MOST_LISTED = 1_000;

export interface RunOptions {
  /** Stops between two steps. */
  readonly signal?: AbortSignal | undefined;
  /** What it is left as when `signal` aborts. @default "cancelled" */
  readonly onAbort?: "cancelled" | "paused" | "planned" | undefined;
  readonly progress?: ((operation: Operation) => void) | undefined;
  /** How long somebody else's lock is waited for, in ms. @default 20 s */
  readonly waitMs?: number | undefined;
  /** States that it may be in. @default all that are not its end */
  readonly from?: readonly OperationState[] | undefined;
}

export interface DeskParts {
  readonly records: OperationRecords;
  /** Rejects with `NotSupportedError` where there is nobody to share with. */
  readonly lock: BaseBroker["lock"];
  /** Epoch ms, on a clock that all who share the records have. */
  readonly time: () => Promise<number>;
  readonly clock: Clock;
  /** Normalized name of the domain. */
  readonly domain: string;
}

/** Of brokers that keep none. */
const books = new WeakMap<BaseBroker, OperationBook>();

export class OperationDesk {
  constructor(private readonly parts: DeskParts) {}

  /** That of a domain: on the broker that its messages travel on. */
  static of(runtime: DomainRuntime): OperationDesk {
    return OperationDesk.on(subscriptionBroker(runtime), runtime.clock, runtime.normalizedName);
  }

  static on(broker: BaseBroker, clock: Clock, domain: string): OperationDesk {
    let records: OperationRecords | undefined = broker.operations;
    if (!records) {
      const book = books.get(broker) ?? new OperationBook();
      books.set(broker, book);
      records = book;
    }
    return new OperationDesk({
      ...{ records, clock, domain },
      lock: (name, options) => broker.lock(name, options),
      time: () => broker.time(),
    });
  }

  /** One that nobody else sees: for a broker that takes nothing to keep any more. */
  alone(): OperationDesk {
    const lock = () => Promise.reject(new NotSupportedError("An operation of one process has no lock."));
    return new OperationDesk({ ...this.parts, records: new OperationBook(), lock });
  }

  /** Keeps a new operation. Throws `ProteanError` with the code `OPERATION_ALIKE` and that one's id. */
  async make(
    asked: Omit<Asked, "domain">,
    { total, plan }: Pick<OperationRecord, "total" | "plan">,
  ): Promise<OperationRecord> {
    const { records, domain } = this.parts;
    const whole: Asked = { ...asked, domain };
    const record = newRecord(whole, {
      id: crypto.randomUUID(),
      created: await this.parts.time(),
      total,
      plan,
    });
    const { id, created, state } = record;
    const alike = alikeText(whole);
    const other = await records.create({ id, created, state, alike, data: encodeRecord(record) });
    if (other === undefined) return record;
    throw new ProteanError(
      `An operation that is alike is not over yet: '${other}'. See \`operations show ${other}\`, and resume or ` +
        "cancel it.",
      { code: "OPERATION_ALIKE" },
    );
  }

  /** The newest first. */
  async list(limit: number): Promise<readonly OperationRecord[]> {
    const rows = await this.parts.records.list(MOST_LISTED);
    return rows.flatMap((row) => decodeRecord(row) ?? []).filter(({ domain }) => domain === this.parts.domain)
      .slice(0, limit);
  }

  /** Those that a running server has to do, as far as nobody does: the lock tells. */
  async waiting(): Promise<readonly OperationRecord[]> {
    const rows = await this.parts.records.waiting(MOST_LISTED);
    return rows.flatMap((row) => decodeRecord(row) ?? [])
      .filter(({ domain, detached }) => domain === this.parts.domain && detached);
  }

  async get(id: string): Promise<OperationRecord | undefined> {
    const row = await this.parts.records.get(id);
    const record = row && decodeRecord(row);
    return record?.domain === this.parts.domain ? record : undefined;
  }

  /** Throws `ProteanError` with the code `OPERATION_NOT_FOUND`. */
  async find(id: string): Promise<OperationRecord> {
    const found = await this.get(id);
    if (found) return found;
    throw new ProteanError(
      `There is no operation '${id}': see \`operations list\` for those that there are.`,
      {
        code: "OPERATION_NOT_FOUND",
      },
    );
  }

  /** Has whoever runs it stop, within a second. */
  async pause(id: string): Promise<void> {
    const { kind, saves } = await this.find(id);
    if (saves) throw savesToFile(id, kind);
    const was = await this.parts.records.turn(id, UNFINISHED, "paused");
    if (was === undefined || !UNFINISHED.includes(was)) throw over(id, was);
  }

  /** Ends it for good. */
  async cancel(id: string): Promise<void> {
    const record = await this.find(id);
    if (!UNFINISHED.includes(record.state)) throw over(id, record.state);
    const { records } = this.parts;
    const lock = await this.#lock(id, undefined);
    try {
      // Nobody runs it: its end is written here.
      const run = crypto.randomUUID();
      if (lock && await begun(records, id, run, UNFINISHED)) {
        const now = await this.find(id);
        now.ended = await this.parts.time();
        await records.end(id, run, "cancelled", encodeRecord(now));
        return;
      }
    } finally {
      await release(lock);
    }
    const was = await records.turn(id, UNFINISHED, "cancelled");
    if (was === undefined || !UNFINISHED.includes(was)) throw over(id, was);
  }

  /**
   * Runs it to its end, or until it is paused; returns it as it is then. Throws `ProteanError`:
   * `OPERATION_RUNNING` while somebody else does, `OPERATION_ENDED`, `OPERATION_NOT_FOUND`.
   */
  async run(id: string, work: Work, options: RunOptions = {}): Promise<OperationRecord> {
    const { from = UNFINISHED, waitMs = TAKEOVER_MS } = options;
    const lock = await this.#take(id, waitMs, options.signal);
    try {
      const run = crypto.randomUUID();
      if (!await begun(this.parts.records, id, run, from)) throw over(id, (await this.get(id))?.state);
      return await this.#run(await this.find(id), run, work, lock, options);
    } finally {
      await release(lock);
    }
  }

  async #run(
    record: OperationRecord,
    run: string,
    work: Work,
    lock: Lock | "alone",
    { signal, onAbort = "cancelled", progress }: RunOptions,
  ): Promise<OperationRecord> {
    const { records, clock } = this.parts;
    const halt = new AbortController();
    const over = new AbortController();
    const held = lock === "alone" ? undefined : lock.signal;
    const halted = (state: string) => halt.abort(state);
    const watching = this.#watch(record.id, run, halted, over.signal);
    let to: OperationState = "done";
    record.state = "running";
    delete record.why;
    {
      using either = joined(signal, held, halt.signal);
      try {
        await work.run(
          new Running({ records, record, run, clock, signal: either.signal, halted, progress }),
        );
      } catch (error) {
        const left = record.detached ? "planned" : record.saves ? "failed" : "paused";
        const told: unknown = halt.signal.reason;
        if (halt.signal.aborted) to = told === "paused" || told === "cancelled" ? told : left;
        else if (held?.aborted || isBrokers(error)) {
          [to, record.why] = [left, asError(error).message];
        } else if (signal?.aborted) to = record.saves ? "cancelled" : onAbort;
        else [to, record.why] = [error instanceof Stop ? error.state : "failed", asError(error).message];
        if (to === "cancelled") record.why = halt.signal.aborted ? "It was cancelled." : "It was stopped.";
      } finally {
        over.abort();
        await watching;
      }
    }
    return await this.#end(record, run, to);
  }

  /** Keeps its end; where the broker is away it stays as it was kept last, and can be resumed. */
  async #end(record: OperationRecord, run: string, to: OperationState): Promise<OperationRecord> {
    const { records } = this.parts;
    record.state = to;
    try {
      if (!UNFINISHED.includes(to)) record.ended = await this.parts.time();
      const state = await records.end(record.id, run, to, encodeRecord(record));
      // Somebody has taken it over, or it is forgotten.
      if (state === undefined) return await this.get(record.id) ?? record;
      record.state = state;
    } catch (error) {
      // The broker is away, or closed: it can be resumed as it was kept last.
      record.why ??= asError(error).message;
    }
    return record;
  }

  /** Looks again and again whether it is to stop; a sign of life at the same time. Never rejects. */
  async #watch(id: string, run: string, halted: (state: string) => void, over: AbortSignal): Promise<void> {
    const { records, clock } = this.parts;
    while (true) {
      await sleep(clock, LOOK_MS, over);
      if (over.aborted) return;
      try {
        const state = await records.save(id, run);
        if (over.aborted || state === "running") continue;
        return halted(state ?? "lost");
      } catch {
        // The broker is away: the next step finds that out.
      }
    }
  }

  /** The lock, as soon as whoever has it lets go of it. Throws where somebody lives who does not. */
  async #take(id: string, waitMs: number, signal: AbortSignal | undefined): Promise<Lock | "alone"> {
    const { clock } = this.parts;
    const began = clock.monotonic();
    const first = await this.parts.records.get(id);
    while (true) {
      const lock = await this.#lock(id, signal);
      if (lock) return lock;
      const row = await this.parts.records.get(id);
      const lives = row?.state === "running" && row.run === first?.run && row.beats > (first?.beats ?? 0);
      if (lives || clock.monotonic() - began >= waitMs || signal?.aborted) {
        throw new ProteanError(
          `Another process runs the operation '${id}': pause it first, or wait for its end.`,
          { code: "OPERATION_RUNNING" },
        );
      }
      await sleep(clock, ASK_AGAIN_MS, signal);
    }
  }

  async #lock(id: string, signal: AbortSignal | undefined): Promise<Lock | "alone" | undefined> {
    try {
      return await this.parts.lock(`operation:${id}`, signal ? { signal } : {});
    } catch (error) {
      if (error instanceof NotSupportedError) return "alone";
      throw error;
    }
  }
}

/** It is the broker's fault, and may be over later. */
function isBrokers(error: unknown): boolean {
  return error instanceof UnavailableError || error instanceof RefusedError;
}

async function begun(
  records: OperationRecords,
  id: string,
  run: string,
  from: readonly OperationState[],
): Promise<boolean> {
  const was = await records.begin(id, from, run);
  return was !== undefined && from.includes(was);
}

async function release(lock: Lock | "alone" | undefined): Promise<void> {
  if (lock !== "alone") await lock?.[Symbol.asyncDispose]();
}

function over(id: string, state: string | undefined): ProteanError {
  return new ProteanError(`The operation '${id}' is ${state ?? "forgotten"}: nothing of it is left to do.`, {
    code: "OPERATION_ENDED",
  });
}

/** What a process writes into a file of its own. */
export function savesToFile(id: string, kind: string): ProteanError {
  return new ProteanError(
    `The operation '${id}' writes letters to a file before it changes them, which only the command that began it ` +
      `does: let that end, or cancel it and ${kind} the rest anew.`,
    { code: "OPERATION_SAVES" },
  );
}
