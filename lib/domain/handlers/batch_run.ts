/**
 * Several messages handled in one unit of work: marked together, given to one call or each to its own methods,
 * committed together. Whoever fails by itself is taken out, and the others are done again without it: nothing
 * of what was written for it is committed.
 *
 * @module
 */
import { type Mark, messageConflict } from "../../adapters/ports.ts";
import { asError, DuplicateMessageError } from "../../errors.ts";
import type { Message, TraceContext } from "../../message/types.ts";
import type { HandlerMethod } from "../elements/model.ts";
import type { BatchResult } from "../handler_port.ts";
import type { WorkRuntime } from "../runtime.ts";
import type { BatchHandling } from "../types.ts";
import { BatchWorkContext, commonOrigin } from "../work/batch_context.ts";
import { BatchOrder, WorkedOnAgain } from "../work/batch_order.ts";
import { WorkContext } from "../work/context.ts";
import { MemberWork } from "../work/member_work.ts";
import type { Origin } from "../work/outgoing.ts";
import { RowLoader } from "../work/row_loader.ts";
import { runUnitOfWork, type UnitOptions } from "../work/run_unit.ts";
import { refusal } from "../work/sessions.ts";
import type { UnitOfWork } from "../work/unit_of_work.ts";
import type { Tries } from "./tries.ts";

/** One message, and what is to be done with it. */
export interface BatchEntry {
  readonly message: Message;
  readonly tries: Tries;
  readonly key: string;
  readonly methods: readonly HandlerMethod[];
  /** One for each method; empty: it has none. */
  readonly marks: readonly Mark[];
  readonly trace: TraceContext | null;
}

export interface BatchParts {
  readonly runtime: WorkRuntime;
  readonly unit: Pick<UnitOptions, "name" | "guard" | "transient" | "spread" | "turn">;
  /** Called with all of them at once. Undefined: each has its own methods called. */
  readonly handleMany: BatchHandling["handle"] | undefined;
}

/** A mark that was free may be taken at the commit; then it is seen. So often, and it is a failure. */
const MOST_RACES = 5;

/** Ends a unit of work of which some are taken out; never seen outside. */
class TakenOut extends Error {
  constructor(readonly failures: ReadonlyMap<BatchEntry, Error>) {
    super("Some of the batch have failed, and the others are done without them.");
  }
}

/** What is left to be done for a message. */
interface Due {
  readonly entry: BatchEntry;
  readonly methods: readonly HandlerMethod[];
}

export class BatchRun {
  readonly #parts: BatchParts;
  readonly #results = new Map<BatchEntry, BatchResult>();
  /** Somebody was overtaken: they are done one after the other. */
  #inOrder = false;

  constructor(parts: BatchParts) {
    this.#parts = parts;
  }

  /** See `HandlerRunner.runTogether`. */
  async run(entries: readonly BatchEntry[]): Promise<readonly BatchResult[]> {
    const { runtime, unit: { guard, ...unit } } = this.#parts;
    let open = this.#withoutRepetitions(entries);
    let races = 0;
    while (open.length > 0) {
      const now = open;
      const [only] = now;
      const origin = only && now.length === 1
        ? originOf(only)
        : commonOrigin(now.map(({ message }) => message));
      try {
        const { value: due } = await runUnitOfWork(
          runtime,
          { ...unit, guard, origin, repeat: true },
          (work) => this.#work(work, now),
        );
        const done = new Set(due.map(({ entry }) => entry));
        for (const entry of now) {
          this.#results.set(entry, { kind: done.has(entry) ? "handled" : "duplicate" });
        }
        break;
      } catch (error) {
        if (error instanceof TakenOut) open = this.#without(now, error.failures);
        else if (error instanceof WorkedOnAgain) this.#inOrder = true;
        else if (!(error instanceof DuplicateMessageError) || ++races > MOST_RACES) throw error;
      }
    }
    return entries.map((entry) => this.#results.get(entry) ?? { kind: "held" });
  }

  /** The same message twice is none of one batch: the second one finds the mark of the first. */
  #withoutRepetitions(entries: readonly BatchEntry[]): readonly BatchEntry[] {
    const seen = new Set<string>();
    return entries.filter(({ marks: [mark] }) => {
      if (!mark) return true;
      const key = JSON.stringify([mark.type, mark.messageId]);
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    });
  }

  /** Those that may still be done. What is behind one that has failed waits for it. */
  #without(
    open: readonly BatchEntry[],
    failures: ReadonlyMap<BatchEntry, Error>,
  ): readonly BatchEntry[] {
    const keys = new Set<string>();
    return open.filter((entry) => {
      const error = failures.get(entry);
      // Whether what comes behind it fails as well is seen when it has its turn.
      if (keys.has(entry.key)) this.#results.set(entry, { kind: "held" });
      else if (error) {
        this.#results.set(entry, { kind: "failed", error });
        keys.add(entry.key);
      } else return true;
      return false;
    });
  }

  async #work(unit: UnitOfWork, open: readonly BatchEntry[]): Promise<readonly Due[]> {
    const { guard } = this.#parts.unit;
    if (!guard.mayCommit()) throw refusal();
    const due = await this.#claim(unit, open);
    if (due.length === 0) return due;
    const failures = this.#parts.handleMany
      ? await this.#together(unit, due, this.#parts.handleMany)
      : this.#inOrder
      ? await this.#oneByOne(unit, due)
      : await this.#eachAtOnce(unit, due);
    if (failures.size > 0) throw new TakenOut(failures);
    return due;
  }

  /** Marks what is still to be done. Throws `TakenOut` for those whose marks are other messages'. */
  async #claim(unit: UnitOfWork, open: readonly BatchEntry[]): Promise<readonly Due[]> {
    const marks = open.flatMap((entry) => entry.marks);
    if (marks.length === 0) return open.map((entry) => ({ entry, methods: entry.methods }));
    const outcomes = await unit.claimMany(marks);
    const conflicts = new Map<BatchEntry, Error>();
    const due: Due[] = [];
    let at = 0;
    for (const entry of open) {
      if (entry.marks.length === 0) {
        due.push({ entry, methods: entry.methods });
        continue;
      }
      const own = outcomes.slice(at, at += entry.marks.length);
      const conflict = entry.marks[own.indexOf("conflict")];
      if (conflict) conflicts.set(entry, messageConflict(conflict));
      const methods = entry.methods.filter((_, index) => own[index] === "claimed");
      if (methods.length > 0) due.push({ entry, methods });
    }
    if (conflicts.size > 0) throw new TakenOut(conflicts);
    return due;
  }

  /** One call for all. Returns those that it has taken out. */
  async #together(
    unit: UnitOfWork,
    due: readonly Due[],
    handle: BatchHandling["handle"],
  ): Promise<ReadonlyMap<BatchEntry, Error>> {
    const { name, guard } = this.#parts.unit;
    const given = due.map(({ entry }) => entry.tries.next());
    const payloads = given.map(({ payload }) => payload);
    const context = new BatchWorkContext(unit, guard, name, given.map(({ message }) => message), payloads);
    try {
      await handle(payloads, context);
    } catch (error) {
      // What it has taken out before is known to fail; the others show whether they do.
      if (context.failures.size === 0) throw error;
    } finally {
      context.end();
    }
    const failures = new Map<BatchEntry, Error>();
    due.forEach(({ entry }, place) => {
      const error = context.failures.get(place);
      if (error) failures.set(entry, error);
    });
    return failures;
  }

  /** Each with its methods; those of one key one after the other. Returns those that have failed. */
  async #eachAtOnce(unit: UnitOfWork, due: readonly Due[]): Promise<ReadonlyMap<BatchEntry, Error>> {
    const order = new BatchOrder(due.length);
    const loader = new RowLoader(unit);
    const failures = new Map<BatchEntry, Error>();
    const ofKey = new Map<string, Promise<void>>();
    /** Their messages behind the one that has failed wait for it. */
    const failedKeys = new Set<string>();
    let again = false;
    const one = async (each: Due, place: number, before: Promise<void> | undefined): Promise<void> => {
      if (before) await before;
      if (order.overtaken || failedKeys.has(each.entry.key)) return order.end(place, false);
      try {
        await this.#one(unit, each, { order, loader, place });
        order.end(place, false);
      } catch (error) {
        order.end(place, true);
        failedKeys.add(each.entry.key);
        if (error instanceof WorkedOnAgain) again = true;
        else failures.set(each.entry, asError(error));
      }
    };
    await Promise.all(due.map((each, place) => {
      const { key } = each.entry;
      const work = one(each, place, ofKey.get(key));
      ofKey.set(key, work);
      return work;
    }));
    if (order.overtaken) throw new WorkedOnAgain();
    const [failure] = failures.values();
    // Which of them a database has failed for is not known; it has failed all that came afterwards.
    if (failure && unit.failure) throw failure;
    if (again && !failure) throw new WorkedOnAgain();
    return failures;
  }

  /** As they come. Rejects with the first failure. */
  async #oneByOne(unit: UnitOfWork, due: readonly Due[]): Promise<ReadonlyMap<BatchEntry, Error>> {
    for (const each of due) await this.#one(unit, each, undefined);
    return new Map();
  }

  async #one(
    unit: UnitOfWork,
    { entry, methods }: Due,
    at: ConstructorParameters<typeof MemberWork>[2],
  ): Promise<void> {
    const { name, guard } = this.#parts.unit;
    const member = new MemberWork(unit, originOf(entry), at);
    try {
      for (const { handle } of methods) {
        const { payload, message } = entry.tries.next();
        await handle?.(payload, new WorkContext(member, guard, name, message));
      }
    } finally {
      await member.end();
    }
  }
}

function originOf({ message, trace }: BatchEntry): Origin {
  return { message, trace };
}
