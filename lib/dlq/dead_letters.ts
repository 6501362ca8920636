/**
 * `domain.deadLetters`, and what the command line calls.
 *
 * @module
 */
import {
  type DeadLetterFilter,
  type DeadLetterQueues,
  type DeadLetterStats,
  type OperationOptions,
  registerDeadLetters,
  type SavedDeadLetter,
} from "../domain/dead_letters.ts";
import type { Operation } from "../domain/operations.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { letterFacts } from "../domain/dead_letter_entry.ts";
import type { DeadLetterEntry } from "../domain/types.ts";
import { asError, IncorrectUsageError, ProteanError } from "../errors.ts";
import { isJsonObject } from "../message/parse.ts";
import { audit, audited, whoIs } from "../operations/audit.ts";
import { OperationDesk } from "../operations/desk.ts";
import { type LetterKind, runOperation } from "./bulk.ts";
import { assertFilter } from "./filter.ts";
import { DeadLetterQueues as Queues, type QueuedLetter } from "./queues.ts";
import { aside } from "./places.ts";
import { putBack, savedLetter } from "./saved.ts";
import { noteGroup } from "./notes.ts";
import { statsOf } from "./stats.ts";

/** Letters whose texts a page of a list keeps at most, in characters. */
const PAGE_CHARS = 16 * 1024 * 1024;
const LIST_LIMIT = 100;

export class DomainDeadLetters implements DeadLetterQueues {
  readonly #runtime: () => DomainRuntime;

  constructor(runtime: () => DomainRuntime) {
    this.#runtime = runtime;
  }

  async list(
    { limit = LIST_LIMIT, cursor, ...filter }: DeadLetterFilter & {
      limit?: number;
      cursor?: string | undefined;
    } = {},
  ): ReturnType<DeadLetterQueues["list"]> {
    assertFilter(filter, ["limit", "cursor"]);
    assertCount("limit", limit);
    const queues = this.#queues();
    const entries: DeadLetterEntry[] = [];
    const page = await queues.list({ ...filter, limit, cursor });
    let chars = 0;
    let last: QueuedLetter | undefined;
    for (const listed of page.entries) {
      // A page ends early for the sake of its texts; what is behind it is brought by its cursor.
      if (last && chars > PAGE_CHARS) return { entries, cursor: queues.cursorOf(last) };
      const letter = await queues.whole(listed);
      last = listed;
      // Somebody had it meanwhile.
      if (!letter) continue;
      chars += letter.letter.text.length;
      entries.push(entryOf(letter));
    }
    return { entries, cursor: page.cursor };
  }

  async get(id: string, filter: Omit<DeadLetterFilter, "id"> = {}): Promise<DeadLetterEntry | undefined> {
    assertFilter({ ...filter, id });
    try {
      return entryOf(await this.#queues().find(id, filter));
    } catch (error) {
      if (error instanceof ProteanError && error.code === "DLQ_NOT_FOUND") return undefined;
      throw error;
    }
  }

  async stats(
    { limit, ...filter }: DeadLetterFilter & { limit?: number } = {},
  ): Promise<readonly DeadLetterStats[]> {
    assertFilter(filter, ["limit"]);
    if (limit !== undefined) assertCount("limit", limit);
    const queues = this.#queues();
    const { runners, largest: maxEntryBytes } = queues;
    const options = { filter, runners, most: limit, maxEntryBytes };
    const found: DeadLetterStats[] = [];
    // One after the other: each may hold a page of large letters in memory.
    for (const place of queues.places(filter)) found.push(await statsOf(place, options));
    return found;
  }

  async note(
    fingerprint: string,
    text: string,
    { by, reason }: Pick<OperationOptions, "by" | "reason"> = {},
  ): Promise<void> {
    const change = { what: "dlq.note", by: whoIs(by), reason, group: fingerprint };
    await audited(
      this.#runtime(),
      change,
      () => noteGroup(this.#queues().places({}), fingerprint, text),
      () => ({ count: 1 }),
    );
  }

  async replay(filter: DeadLetterFilter, options: OperationOptions = {}): Promise<Operation> {
    return await this.#change("replay", filter, options);
  }

  async discard(filter: DeadLetterFilter, options: OperationOptions = {}): Promise<Operation> {
    return await this.#change("discard", filter, options);
  }

  async restore(filter: DeadLetterFilter, options: OperationOptions = {}): Promise<Operation> {
    return await this.#change("restore", filter, options);
  }

  async purge(filter: DeadLetterFilter, options: OperationOptions = {}): Promise<Operation> {
    return await this.#change("purge", filter, options);
  }

  async *export(filter: DeadLetterFilter): AsyncGenerator<readonly SavedDeadLetter[]> {
    assertFilter(filter);
    const queues = this.#queues();
    for (const snapshot of await queues.snapshot(queues.places(filter))) {
      for await (const page of queues.pages(snapshot, filter)) {
        yield page.map(({ entry }) => {
          const saved = savedLetter(snapshot.place, entry);
          if (saved) return saved;
          throw new ProteanError(
            `DLQ message '${entry.id}' of '${snapshot.place.stream}' cannot be exported: it has no text, or one ` +
              "that is larger than what is read. Leave it out by a filter.",
            { code: "DLQ_TRUNCATED" },
          );
        });
      }
    }
  }

  async import(
    letters: readonly SavedDeadLetter[],
    { by, reason }: Pick<OperationOptions, "by" | "reason"> = {},
  ): ReturnType<DeadLetterQueues["import"]> {
    const queues = this.#queues();
    const known = queues.places({});
    const results = await putBack([...known, ...known.map(aside)], letters);
    const count = results.filter((result) => "id" in result).length;
    await audit(this.#runtime(), {
      ...{ what: "dlq.import", by: whoIs(by), filter: {}, reason, count },
      ...{ skipped: 0, failures: results.length - count, outcome: "done" },
    });
    return results;
  }

  async #change(kind: LetterKind, filter: DeadLetterFilter, options: OperationOptions): Promise<Operation> {
    const runtime = this.#runtime();
    const by = whoIs(options.by);
    const facts = { what: `dlq.${kind}`, by, filter, reason: options.reason };
    let operation: Operation;
    try {
      const desk = OperationDesk.of(runtime);
      operation = await runOperation(this.#queues(), kind, filter, { ...options, by }, runtime.clock, desk);
    } catch (error) {
      await audit(runtime, { ...facts, outcome: "refused", why: asError(error).message });
      throw error;
    }
    const { id, state, done: count, skipped, failures, why } = operation;
    if (!options.dryRun) {
      await audit(runtime, { ...facts, count, skipped, failures, outcome: state, operation: id, why });
    }
    return operation;
  }

  #queues(): Queues {
    return Queues.of(this.#runtime());
  }
}

registerDeadLetters((runtime) => new DomainDeadLetters(runtime));

function entryOf({ id, queue, subscription, letter }: QueuedLetter): DeadLetterEntry {
  const { message } = letter;
  return {
    id,
    dlqStream: queue,
    subscription,
    handler: letter.handler ?? undefined,
    consumerGroup: letter.consumerGroup,
    ...letterFacts(letter),
    payload: message && isJsonObject(message["metadata"]) && "data" in message
      ? message["data"]
      : message ?? letter.text,
  };
}

function assertCount(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value > 0) return;
  throw new IncorrectUsageError(`'${name}' takes a whole number above 0: current value is ${String(value)}.`);
}
