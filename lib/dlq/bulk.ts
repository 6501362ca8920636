/**
 * Many letters replayed, put aside, brought back or removed as one operation: of a snapshot, page by page,
 * each letter in one atomic step, so that two operations at once change each letter once (DLQ-5). How far
 * it is is kept before each step, so that any process goes on after a kill (operations 6).
 *
 * @module
 */
import { compareIdTexts } from "../adapters/stream_id.ts";
import type { Clock } from "../async/clock.ts";
import { pacer } from "../async/pacer.ts";
import { getLogger } from "@logtape/logtape";
import type { DeadLetterFilter, OperationOptions } from "../domain/dead_letters.ts";
import type { Operation } from "../domain/operations.ts";
import {
  IncorrectUsageError,
  NotSupportedError,
  ProteanError,
  RefusedError,
  UnavailableError,
} from "../errors.ts";
import { originalText, parseDeadLetter } from "../message/dead_letter.ts";
import { discardedStream } from "../message/names.ts";
import { logLine } from "../message/describe_error.ts";
import { isJsonObject } from "../message/parse.ts";
import { OperationDesk } from "../operations/desk.ts";
import {
  type Asked,
  failed,
  newRecord,
  type OperationKind,
  operationOf,
  type OperationRecord,
} from "../operations/record.ts";
import { registerWork, type Running, Stop, type Work } from "../operations/running.ts";
import { Canaries, MOST_CANARIES, sentLetter } from "./canaries.ts";
import { assertFilter, isSelective } from "./filter.ts";
import {
  filterFrom,
  filterTexts,
  type LetterPlan,
  planOf,
  snapshotsOf,
  type UnderWay,
} from "./letter_plan.ts";
import { aside, type LetterPlace } from "./places.ts";
import { DeadLetterQueues, type FoundLetter, truncated } from "./queues.ts";
import { savedLetter } from "./saved.ts";
import type { Snapshot } from "./snapshot.ts";

const log = getLogger(["protean", "dlq"]);

/** Letters that are changed between two writings of how far it is. */
const STEP = 50;

/** What is done to letters. */
export type LetterKind = Exclude<OperationKind, "window">;
const KINDS: readonly LetterKind[] = ["replay", "discard", "restore", "purge"];

/**
 * Does it; resolves at its end, whatever that is, or with the planned operation where `options` leave it to
 * others. Rejects with `ProteanError` or `IncorrectUsageError` for what cannot be meant; nothing is changed
 * then.
 */
export async function runOperation(
  queues: DeadLetterQueues,
  kind: LetterKind,
  filter: Readonly<DeadLetterFilter>,
  options: OperationOptions,
  clock: Clock,
  desk: OperationDesk = OperationDesk.on(queues.broker, clock, ""),
): Promise<Operation> {
  assertFilter(filter);
  assertOptions(kind, options);
  const { by = "unknown", reason, rate, canary, toAllGroups, limit, save, detach, dryRun, signal } = options;
  const asked: Omit<Asked, "domain"> = {
    ...{ kind, filter: filterTexts(filter), by, reason, rate, canary, toAllGroups, limit },
    ...{ detached: detach ?? false, saves: save !== undefined },
  };
  const places = queues.places(filter).map((place) => kind === "restore" ? aside(place) : place);
  const snapshots = await queues.snapshot(places);
  const total = Math.min(limit ?? Infinity, await queues.countIn(snapshots, filter, signal));
  const plan = planOf(snapshots);
  if (dryRun || signal?.aborted) {
    const record = newRecord({ ...asked, domain: "" }, {
      ...{ id: crypto.randomUUID(), created: clock.now(), total, plan },
    });
    return operationOf(
      signal?.aborted ? { ...record, state: "cancelled", why: "It was stopped." } : record,
    );
  }
  const { progress, onAbort } = options;
  const run = async (desk: OperationDesk) => {
    const { id } = await desk.make(asked, { total, plan });
    return await desk.run(id, new LetterWork(queues, save), { signal, onAbort, progress });
  };
  if (detach) return operationOf(await desk.make(asked, { total, plan }));
  try {
    return operationOf(await run(desk));
  } catch (error) {
    // A full Redis, which a purge is for, or one that gives us no right to keep it.
    if (!(error instanceof RefusedError || error instanceof UnavailableError && !error.isUnreached)) {
      throw error;
    }
    log.warn("operations.not_kept", { kind, error: logLine(error) });
    return operationOf(await run(desk.alone()));
  }
}

for (const kind of KINDS) registerWork(kind, (runtime) => new LetterWork(DeadLetterQueues.of(runtime)));

/** An operation on dead letters, from where its plan says it stands. */
export class LetterWork implements Work {
  readonly #queues: DeadLetterQueues;
  readonly #save: OperationOptions["save"];

  constructor(queues: DeadLetterQueues, save?: OperationOptions["save"]) {
    this.#queues = queues;
    this.#save = save;
  }

  async run(running: Running): Promise<void> {
    const { id, plan, filter } = running.record;
    if (!isJsonObject(plan) || !Array.isArray(plan["queues"])) {
      throw new ProteanError(
        `The operation '${id}' was planned by another release in a way that this one does not know: begin it anew.`,
        { code: "OPERATION_UNKNOWN_KIND" },
      );
    }
    // What another release filters by and this one does not would mean more letters here.
    assertFilter(filterFrom(filter));
    await new Run(this.#queues, running, this.#save).run();
  }
}

class Run {
  readonly #queues: DeadLetterQueues;
  readonly #running: Running;
  readonly #record: OperationRecord;
  readonly #kind: LetterKind;
  readonly #plan: LetterPlan;
  readonly #filter: Readonly<DeadLetterFilter>;
  readonly #save: OperationOptions["save"];
  readonly #snapshots: readonly Snapshot[];
  readonly #pace: () => Promise<void>;
  #canaries: Canaries | undefined;

  constructor(queues: DeadLetterQueues, running: Running, save: OperationOptions["save"]) {
    const { record, clock, signal } = running;
    this.#queues = queues;
    this.#running = running;
    this.#record = record;
    this.#kind = record.kind as LetterKind;
    this.#plan = record.plan as LetterPlan;
    this.#filter = filterFrom(record.filter);
    this.#save = save;
    this.#snapshots = snapshotsOf(queues, this.#plan);
    this.#pace = pacer(clock, record.rate, signal);
    if (record.canary !== undefined && !this.#plan.canariesOver) {
      this.#canaries = new Canaries(this.#snapshots, queues.largest, clock);
    }
  }

  async run(): Promise<void> {
    await this.#recover();
    for (const [at, snapshot] of this.#snapshots.entries()) {
      const planned = this.#plan.queues[at];
      if (!planned || planned.over) continue;
      await this.#queue(at, snapshot);
      this.#running.goOn();
      planned.over = true;
    }
    // Fewer letters than canaries: they are all there are.
    if (this.#canaries) await this.#awaitCanaries();
  }

  /** What a killed process had under way: what is gone from the queue was changed, and is counted now. */
  async #recover(): Promise<void> {
    const { underWay } = this.#plan;
    const place = underWay && this.#snapshots[underWay.queue]?.place;
    if (place && underWay.whole !== undefined) {
      if (await isOver(this.#snapshots[underWay.queue])) this.#record.done += underWay.whole;
    } else if (place) {
      const { after } = this.#plan.queues[underWay.queue] ?? {};
      for (const id of underWay.ids) {
        if (after !== undefined && compareIdTexts(id, after) <= 0) continue;
        if (await place.deadLetters.get(place.stream, id, 1) !== undefined) continue;
        this.#record.done++;
        const canary = underWay.canaries?.find((letter) => letter.id === id);
        if (canary) (this.#plan.canaries ??= []).push({ queue: underWay.queue, letter: canary });
      }
    }
    this.#plan.underWay = undefined;
    if (!this.#canaries) return;
    for (const { queue, letter } of this.#plan.canaries ?? []) {
      const snapshot = this.#snapshots[queue];
      if (snapshot) this.#canaries.add(snapshot.place, letter);
    }
    const { canary } = this.#record;
    if (canary !== undefined && this.#canaries.size >= canary) await this.#awaitCanaries();
  }

  async #queue(at: number, snapshot: Snapshot): Promise<void> {
    const { signal } = this.#running;
    const { place } = snapshot;
    const { rate, limit } = this.#record;
    const { after } = this.#plan.queues[at] ?? {};
    // The whole of a queue goes at once, however long it is, unless letters have come that nobody meant.
    const whole = this.#kind === "purge" && !this.#save && rate === undefined && limit === undefined;
    if (whole && !isSelective(this.#filter) && snapshot.upper !== undefined) {
      await this.#begins({ queue: at, ids: [], whole: await place.deadLetters.depth(place.stream) });
      const purged = await place.deadLetters.purge(place.stream, snapshot.upper);
      this.#record.done += purged;
      this.#plan.underWay = undefined;
      this.#running.told();
      if (purged > 0) return;
    }
    for await (const page of this.#queues.pages({ ...snapshot, after }, this.#filter, signal)) {
      const found = page.slice(0, this.#left());
      const kept = this.#save ? await this.#saved(place, found, this.#save) : found;
      for (let from = 0; from < kept.length; from += this.#step) {
        await this.#some(at, place, kept.slice(from, from + this.#step));
      }
      if (this.#left() === 0) return;
    }
    this.#running.goOn();
  }

  /** Letters that take a second, at most. */
  get #step(): number {
    const { rate = STEP } = this.#record;
    return Math.min(STEP, Math.max(1, Math.floor(rate)));
  }

  /** Changes letters of one step, and notes the last of them. */
  async #some(at: number, place: LetterPlace, some: readonly FoundLetter[]): Promise<void> {
    const planned = this.#plan.queues[at];
    const ids = some.map(({ entry }) => entry.id);
    const canaries = this.#canaries && some.map(({ letter }) => sentLetter(letter));
    await this.#begins({ queue: at, ids, ...(canaries && { canaries }) });
    const oneByOne = this.#kind === "replay" || this.#record.rate !== undefined;
    if (!oneByOne) await this.#many(place, some);
    else for (const letter of some) await this.#one(at, place, letter);
    this.#plan.underWay = undefined;
    const last = some.at(-1);
    if (planned && last) planned.after = last.entry.id;
  }

  async #begins(underWay: UnderWay): Promise<void> {
    this.#plan.underWay = underWay;
    await this.#running.save();
  }

  async #one(at: number, place: LetterPlace, letter: FoundLetter): Promise<void> {
    await this.#pace();
    this.#running.goOn();
    if (this.#kind === "replay") await this.#replay(at, place, letter);
    else await this.#many(place, [letter]);
    const planned = this.#plan.queues[at];
    if (planned) planned.after = letter.entry.id;
    this.#running.told();
    if (this.#canaries && this.#canaries.size === this.#record.canary) await this.#awaitCanaries();
  }

  /** Writes down what is about to be changed; what cannot be written down whole is not changed. */
  async #saved(
    place: LetterPlace,
    found: readonly FoundLetter[],
    save: NonNullable<OperationOptions["save"]>,
  ): Promise<readonly FoundLetter[]> {
    const whole = found.filter(({ entry }) => {
      if (savedLetter(place, entry)) return true;
      failed(this.#record, entry.id, "its text cannot be kept in a file as it is");
      return false;
    });
    if (whole.length > 0) {
      await save(whole.flatMap(({ entry }) => savedLetter(place, entry) ?? []));
    }
    return whole;
  }

  async #many(place: LetterPlace, found: readonly FoundLetter[]): Promise<void> {
    this.#running.goOn();
    const ids = found.map(({ entry }) => entry.id);
    const count = this.#kind === "purge"
      ? await place.deadLetters.remove(place.stream, ids)
      : await mover(place)(place.stream, ids, otherSide(place.stream, this.#kind));
    this.#record.done += count;
    this.#record.skipped += ids.length - count;
    if (this.#record.rate === undefined) this.#running.told();
  }

  async #replay(at: number, place: LetterPlace, found: FoundLetter): Promise<void> {
    const { letter } = found;
    try {
      const there = this.#record.toAllGroups
        ? await release(place, found)
        : await this.#queues.replay(letter, { ours: this.#canaries !== undefined }) === "replayed";
      if (there) this.#record.done++;
      else this.#record.skipped++;
      if (there && this.#canaries) {
        this.#canaries.add(place, letter);
        (this.#plan.canaries ??= []).push({ queue: at, letter: sentLetter(letter) });
      }
    } catch (error) {
      // What the letter itself is refused for; a broker that is away, or refuses us, is no letter's fault.
      if (!(error instanceof ProteanError && error.code.startsWith("DLQ_"))) throw error;
      failed(this.#record, letter.id, error.message, error.code);
      if (this.#canaries) {
        throw new Stop("failed", `The first letters were not all replayed: ${error.message}`);
      }
    }
  }

  async #awaitCanaries(): Promise<void> {
    const canaries = this.#canaries;
    if (!canaries || canaries.size === 0) return this.#canariesOver();
    await this.#running.save();
    this.#running.told();
    const { returned, waiting } = await canaries.fates(this.#running.signal);
    for (const id of returned) failed(this.#record, id, "it failed again and is back in the queue");
    if (returned.length > 0) {
      throw new Stop(
        "failed",
        `Of the first ${canaries.size} letters ${returned.length} failed again, so the others were left alone: ` +
          "look at why with `dlq list`.",
      );
    }
    this.#running.goOn();
    if (waiting.length === 0) return this.#canariesOver();
    throw new Stop(
      "failed",
      `Of the first ${canaries.size} letters ${waiting.length} were not handled within 15 minutes, so the others ` +
        "were left alone: is a server running?",
    );
  }

  #canariesOver(): void {
    this.#canaries = undefined;
    this.#plan.canaries = undefined;
    this.#plan.canariesOver = true;
  }

  /** Letters that may still be looked for. */
  #left(): number {
    const { done, skipped, failures, limit = Infinity } = this.#record;
    return Math.max(0, limit - done - skipped - failures);
  }
}

/** Whether none of its letters is left. */
async function isOver(snapshot: Snapshot | undefined): Promise<boolean> {
  if (snapshot?.upper === undefined) return true;
  const { place: { deadLetters, stream }, upper } = snapshot;
  const [oldest] = await deadLetters.list(stream, { limit: 1, maxEntryBytes: 1 });
  return oldest === undefined || compareIdTexts(oldest.id, upper) > 0;
}

function otherSide(stream: string, kind: LetterKind): string {
  return kind === "discard" ? discardedStream(stream) : stream.slice(0, -discardedStream("").length);
}

function mover({ broker, deadLetters }: LetterPlace): NonNullable<typeof deadLetters.move> {
  if (deadLetters.move) return deadLetters.move.bind(deadLetters);
  throw new NotSupportedError(`Broker '${broker.name}' can neither discard nor restore dead letters.`);
}

/**
 * Back on the stream that it failed on, and never on one that the letter names: anybody may have written
 * it.
 */
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

function assertOptions(
  kind: LetterKind,
  { canary, rate, limit, toAllGroups, detach, save }: OperationOptions,
): void {
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
  if (detach && save) {
    throw new IncorrectUsageError("'detach' does not go with 'save': no server writes a file of ours.");
  }
  if (canary !== undefined && toAllGroups) {
    throw new IncorrectUsageError(
      "'canary' goes with replays to the group that failed: what becomes of a message that every group handles " +
        "cannot be told.",
    );
  }
}
