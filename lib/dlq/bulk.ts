/**
 * Many letters replayed, put aside, brought back or removed as one operation: of a snapshot, page by page,
 * each letter in one atomic step, so that two operations at once change each letter once (DLQ-5).
 *
 * @module
 */
import type { Clock } from "../async/clock.ts";
import { pacer } from "../async/pacer.ts";
import type { DeadLetterFilter, FailedLetter, Operation, OperationOptions } from "../domain/dead_letters.ts";
import { asError, IncorrectUsageError, NotSupportedError, ProteanError } from "../errors.ts";
import { originalText, parseDeadLetter } from "../message/dead_letter.ts";
import { discardedStream } from "../message/names.ts";
import { Canaries, MOST_CANARIES } from "./canaries.ts";
import { assertFilter, isSelective } from "./filter.ts";
import { aside, type LetterPlace } from "./places.ts";
import { type DeadLetterQueues, type FoundLetter, truncated } from "./queues.ts";
import { savedLetter } from "./saved.ts";
import type { Snapshot } from "./snapshot.ts";

/** Letters whose failure is told one by one. */
const MOST_FAILED = 100;

type Kind = Operation["kind"];
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The rest of the operation is not done. */
class Stop extends Error {
  readonly state: "cancelled" | "failed";

  constructor(state: Stop["state"], why: string) {
    super(why);
    this.state = state;
  }
}

/**
 * Does it; resolves at its end, whatever that is. Rejects with `ProteanError` or `IncorrectUsageError` for
 * what cannot be meant; nothing is changed then.
 */
export async function runOperation(
  queues: DeadLetterQueues,
  kind: Kind,
  filter: Readonly<DeadLetterFilter>,
  options: OperationOptions,
  clock: Clock,
): Promise<Operation> {
  assertFilter(filter);
  assertOptions(kind, options);
  const places = queues.places(filter).map((place) => kind === "restore" ? aside(place) : place);
  return await new Run(queues, kind, filter, options, clock).run(await queues.snapshot(places));
}

class Run {
  readonly #queues: DeadLetterQueues;
  readonly #filter: Readonly<DeadLetterFilter>;
  readonly #options: OperationOptions;
  readonly #operation: Mutable<Operation> & { failed: FailedLetter[] };
  readonly #clock: Clock;
  readonly #pace: () => Promise<void>;
  #canaries: Canaries | undefined;

  constructor(
    queues: DeadLetterQueues,
    kind: Kind,
    filter: Readonly<DeadLetterFilter>,
    options: OperationOptions,
    clock: Clock,
  ) {
    this.#queues = queues;
    this.#filter = filter;
    this.#options = options;
    this.#clock = clock;
    this.#pace = pacer(clock, options.rate, options.signal);
    this.#operation = {
      ...{ id: crypto.randomUUID(), kind, state: "planned", total: 0, done: 0, skipped: 0 },
      ...{ failed: [], failures: 0 },
    };
  }

  async run(snapshots: readonly Snapshot[]): Promise<Operation> {
    const operation = this.#operation;
    const { limit = Infinity, dryRun, signal } = this.#options;
    try {
      operation.total = Math.min(limit, await this.#queues.countIn(snapshots, this.#filter, signal));
      if (signal?.aborted) throw stopped();
      if (dryRun) return operation;
      operation.state = "running";
      if (this.#options.canary !== undefined) {
        this.#canaries = new Canaries(snapshots, this.#queues.largest, this.#clock);
      }
      for (const snapshot of snapshots) await this.#queue(snapshot);
      // Fewer letters than canaries: they are all there are.
      if (this.#canaries) await this.#awaitCanaries();
      operation.state = "done";
    } catch (thrown) {
      operation.state = thrown instanceof Stop ? thrown.state : "failed";
      operation.why = asError(thrown).message;
    }
    return operation;
  }

  async #queue(snapshot: Snapshot): Promise<void> {
    const { kind } = this.#operation;
    const { save, rate, limit, signal } = this.#options;
    const { place } = snapshot;
    // The whole of a queue goes at once, however long it is.
    const whole = kind === "purge" && !save && rate === undefined && limit === undefined;
    if (whole && !isSelective(this.#filter)) {
      if (signal?.aborted) throw stopped();
      this.#operation.done += await place.deadLetters.purge(place.stream);
      this.#told();
      return;
    }
    for await (const page of this.#queues.pages(snapshot, this.#filter, signal)) {
      const found = page.slice(0, this.#left());
      const kept = save ? await this.#saved(place, found, save) : found;
      if (kind === "replay") {
        for (const letter of kept) await this.#one(() => this.#replay(place, letter));
      } else if (rate === undefined) await this.#many(place, kept);
      else for (const letter of kept) await this.#one(() => this.#many(place, [letter]));
      if (this.#left() === 0) return;
    }
    if (signal?.aborted) throw stopped();
  }

  /** Writes down what is about to be changed; what cannot be written down whole is not changed. */
  async #saved(
    place: LetterPlace,
    found: readonly FoundLetter[],
    save: NonNullable<OperationOptions["save"]>,
  ): Promise<readonly FoundLetter[]> {
    const whole = found.filter(({ entry }) => {
      if (savedLetter(place, entry)) return true;
      this.#failed(entry.id, "its text cannot be kept in a file as it is");
      return false;
    });
    if (whole.length > 0) {
      await save(whole.flatMap(({ entry }) => savedLetter(place, entry) ?? []));
    }
    return whole;
  }

  async #one(work: () => Promise<void>): Promise<void> {
    const { signal } = this.#options;
    await this.#pace();
    if (signal?.aborted) throw stopped();
    await work();
    this.#told();
  }

  async #many(place: LetterPlace, found: readonly FoundLetter[]): Promise<void> {
    const { signal } = this.#options;
    if (signal?.aborted) throw stopped();
    if (found.length === 0) return;
    const ids = found.map(({ entry }) => entry.id);
    const count = this.#operation.kind === "purge"
      ? await place.deadLetters.remove(place.stream, ids)
      : await mover(place)(place.stream, ids, otherSide(place.stream, this.#operation.kind));
    this.#operation.done += count;
    this.#operation.skipped += ids.length - count;
    this.#told();
  }

  async #replay(place: LetterPlace, found: FoundLetter): Promise<void> {
    const { letter } = found;
    try {
      const there = this.#options.toAllGroups
        ? await release(place, found)
        : await this.#queues.replay(letter, { ours: this.#canaries !== undefined }) === "replayed";
      if (there) this.#operation.done++;
      else this.#operation.skipped++;
      if (there) this.#canaries?.add(place, letter);
    } catch (error) {
      // What the letter itself is refused for; a broker that is away, or refuses us, is no letter's fault.
      if (!(error instanceof ProteanError && error.code.startsWith("DLQ_"))) throw error;
      this.#failed(letter.id, error.message, error.code);
      if (this.#canaries) {
        throw new Stop("failed", `The first letters were not all replayed: ${error.message}`);
      }
    }
    if (this.#canaries && this.#canaries.size === this.#options.canary) await this.#awaitCanaries();
  }

  async #awaitCanaries(): Promise<void> {
    const canaries = this.#canaries;
    this.#canaries = undefined;
    if (!canaries || canaries.size === 0) return;
    this.#told();
    const { returned, waiting } = await canaries.fates(this.#options.signal);
    for (const id of returned) this.#failed(id, "it failed again and is back in the queue");
    if (returned.length > 0) {
      throw new Stop(
        "failed",
        `Of the first ${canaries.size} letters ${returned.length} failed again, so the others were left alone: ` +
          "look at why with `dlq list`.",
      );
    }
    if (this.#options.signal?.aborted) throw stopped();
    if (waiting.length === 0) return;
    throw new Stop(
      "failed",
      `Of the first ${canaries.size} letters ${waiting.length} were not handled within 15 minutes, so the others ` +
        "were left alone: is a server running?",
    );
  }

  /** Letters that may still be looked for. */
  #left(): number {
    const { done, skipped, failures } = this.#operation;
    return Math.max(0, (this.#options.limit ?? Infinity) - done - skipped - failures);
  }

  #failed(id: string, why: string, code?: string): void {
    const { failed } = this.#operation;
    this.#operation.failures++;
    if (failed.length < MOST_FAILED) failed.push({ id, why, ...(code !== undefined && { code }) });
  }

  #told(): void {
    this.#options.progress?.(this.#operation);
  }
}

function stopped(): Stop {
  return new Stop("cancelled", "It was stopped.");
}

function otherSide(stream: string, kind: Kind): string {
  return kind === "discard" ? discardedStream(stream) : stream.slice(0, -discardedStream("").length);
}

function mover({ broker, deadLetters }: LetterPlace): NonNullable<typeof deadLetters.move> {
  if (deadLetters.move) return deadLetters.move.bind(deadLetters);
  throw new NotSupportedError(`Broker '${broker.name}' can neither discard nor restore dead letters.`);
}

/** Back on the stream that it failed on, and never on one that the letter names: anybody may have written it. */
async function release(place: LetterPlace, { entry: { id, data }, letter }: FoundLetter): Promise<boolean> {
  if (letter.letter.truncatedBytes !== undefined) throw truncated(letter);
  if (!parseDeadLetter(data).message) {
    throw new ProteanError(
      `DLQ message '${id}' is no message, at which every group would fail: replay it to the group that failed, or ` +
        "purge it.",
      { code: "DLQ_NO_MESSAGE" },
    );
  }
  const { broker, deadLetters, origin, stream } = place;
  if (!deadLetters.release) {
    throw new NotSupportedError(`Broker '${broker.name}' replays to the group that failed only.`);
  }
  return await deadLetters.release(stream, id, origin, originalText(data ?? ""));
}

function assertOptions(kind: Kind, { canary, rate, limit, toAllGroups }: OperationOptions): void {
  const whole = { canary, limit };
  for (const [name, value] of Object.entries(whole)) {
    if (value === undefined || Number.isSafeInteger(value) && value > 0) continue;
    throw new IncorrectUsageError(
      `'${name}' takes a whole number above 0: current value is ${String(value)}.`,
    );
  }
  if (canary !== undefined && canary > MOST_CANARIES) {
    throw new IncorrectUsageError(`'canary' takes at most ${MOST_CANARIES}: current value is ${canary}.`);
  }
  if (rate !== undefined && !(rate > 0 && Number.isFinite(rate))) {
    throw new IncorrectUsageError(`'rate' takes a number above 0: current value is ${String(rate)}.`);
  }
  if (kind !== "replay" && (canary !== undefined || toAllGroups)) {
    throw new IncorrectUsageError(
      `'${toAllGroups ? "toAllGroups" : "canary"}' is for replays, not for ${kind}.`,
    );
  }
  if (canary !== undefined && toAllGroups) {
    throw new IncorrectUsageError(
      "'canary' goes with replays to the group that failed: what becomes of a message that every group handles " +
        "cannot be told.",
    );
  }
}
