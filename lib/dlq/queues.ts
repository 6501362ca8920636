/**
 * Dead letters as operators handle them: found by subscription and handler, inspected, replayed to the one group that
 * failed, purged (wire 8.6, delivery 19, DLQ-5).
 *
 * @module
 */
import type { BaseBroker, StreamEntry } from "../adapters/ports.ts";
import { didYouMean } from "../config/nearest.ts";
import type { HandlerRunner } from "../domain/handler_port.ts";
import { ProteanError } from "../errors.ts";
import { type DeadLetter, parseDeadLetter } from "../message/dead_letter.ts";
import { deadLetterStream, replayLane } from "../message/names.ts";

/** Entries read at once. */
const PAGE = 500;

/** A dead letter and where it lies. */
export interface QueuedLetter {
  /** Id on the dead-letter stream; what operators name it by. */
  readonly id: string;
  /** `my_domain::order:dlq`. */
  readonly queue: string;
  /** Stream category of the subscription that failed: `my_domain::order`. */
  readonly subscription: string;
  readonly letter: DeadLetter;
}

/** Which dead letters are meant; all of the domain's when empty. */
export interface LetterFilter {
  /** A stream category. */
  readonly subscription?: string;
  /** A handler as declared. */
  readonly handler?: string;
}

/** What became of a replay. */
export type ReplayOutcome =
  /** In the replay lane of the group that failed, and nowhere else. */
  | "replayed"
  /** Somebody else replayed or purged it first. */
  | "gone";

/** The dead-letter queues of one domain on one broker. */
export class DeadLetterQueues {
  readonly #broker: BaseBroker;
  readonly #runners: readonly HandlerRunner[];

  constructor(broker: BaseBroker, runners: readonly HandlerRunner[]) {
    this.#broker = broker;
    this.#runners = runners;
  }

  /** The newest letters by time of failure, at most `limit`. Holds no more than that in memory. */
  async list(filter: LetterFilter, limit: number): Promise<readonly QueuedLetter[]> {
    let newest: QueuedLetter[] = [];
    for (const subscription of this.#subscriptions(filter)) {
      for await (const letters of this.#pages(subscription, filter)) {
        newest = [...newest, ...letters].sort(byFailure).slice(0, limit);
      }
    }
    return newest;
  }

  /**
   * The letter called `id`. Throws `ProteanError` with the code `DLQ_NOT_FOUND` or, when several queues hold that id,
   * `DLQ_AMBIGUOUS`.
   */
  async find(id: string, filter: LetterFilter): Promise<QueuedLetter> {
    const found: QueuedLetter[] = [];
    for (const subscription of this.#subscriptions(filter)) {
      const entry = await this.#broker.deadLetters.get(deadLetterStream(subscription), id);
      const letter = entry && queued(subscription, entry);
      if (letter && this.#matches(letter, filter)) found.push(letter);
    }
    const [only, ...others] = found;
    if (!only) throw new ProteanError(`DLQ message '${id}' not found.`, { code: "DLQ_NOT_FOUND" });
    if (others.length === 0) return only;
    throw new ProteanError(
      `Several queues hold a message '${id}': choose one with --subscription (${
        found.map(({ subscription }) => subscription).join(", ")
      }).`,
      { code: "DLQ_AMBIGUOUS" },
    );
  }

  /**
   * Moves a letter to the replay lane of the group that failed: in one atomic step of the broker, so that two replays at
   * once replay once. Throws `ProteanError` with the code `DLQ_FOREIGN_GROUP` when this domain does not run that group.
   */
  async replay({ id, queue, subscription, letter }: QueuedLetter): Promise<ReplayOutcome> {
    const group = letter.consumerGroup;
    const ours = this.#runners.some((runner) =>
      runner.group === group && runner.categories.includes(subscription)
    );
    if (!ours) {
      throw new ProteanError(
        `DLQ message '${id}' failed in the group '${group}', which this domain does not run on '${subscription}': replay it with the domain that does.`,
        { code: "DLQ_FOREIGN_GROUP" },
      );
    }
    const lane = replayLane(subscription, group);
    return await this.#broker.deadLetters.replay(queue, id, lane, group) ? "replayed" : "gone";
  }

  /** How many letters a purge would remove. */
  async count(filter: LetterFilter): Promise<number> {
    let count = 0;
    for (const subscription of this.#subscriptions(filter)) {
      if (!filter.handler) count += await this.#broker.deadLetters.depth(deadLetterStream(subscription));
      else for await (const letters of this.#pages(subscription, filter)) count += letters.length;
    }
    return count;
  }

  /** Removes the letters for good; answers how many. */
  async purge(filter: LetterFilter): Promise<number> {
    let purged = 0;
    for (const subscription of this.#subscriptions(filter)) {
      const queue = deadLetterStream(subscription);
      if (!filter.handler) {
        purged += await this.#broker.deadLetters.purge(queue);
        continue;
      }
      for await (const letters of this.#pages(subscription, filter)) {
        purged += await this.#broker.deadLetters.remove(queue, letters.map(({ id }) => id));
      }
    }
    return purged;
  }

  /** Throws `ProteanError` when no subscription reads that category or no handler has that name. */
  #subscriptions({ subscription, handler }: LetterFilter): readonly string[] {
    if (handler !== undefined && !this.#runners.some(({ name }) => name === handler)) {
      const names = this.#runners.map(({ name }) => name);
      throw new ProteanError(`No handler is called '${handler}'.${didYouMean(handler, names)}`, {
        code: "DLQ_UNKNOWN_HANDLER",
      });
    }
    const runners = this.#runners.filter(({ name }) => handler === undefined || name === handler);
    const categories = [...new Set(runners.flatMap((runner) => runner.categories))].sort();
    if (subscription === undefined) return categories;
    if (categories.includes(subscription)) return [subscription];
    throw new ProteanError(
      `No subscription found for stream category '${subscription}'.${didYouMean(subscription, categories)}`,
      { code: "DLQ_UNKNOWN_SUBSCRIPTION" },
    );
  }

  async *#pages(subscription: string, filter: LetterFilter): AsyncGenerator<readonly QueuedLetter[]> {
    const queue = deadLetterStream(subscription);
    let after: string | undefined;
    while (true) {
      const page = await this.#broker.deadLetters.list(queue, {
        limit: PAGE,
        ...(after !== undefined && { after }),
      });
      yield page.map((entry) => queued(subscription, entry)).filter((letter) =>
        this.#matches(letter, filter)
      );
      after = page.at(-1)?.id;
      if (page.length < PAGE) return;
    }
  }

  /** A letter belongs to the handler it names; one written by Python names only the group. */
  #matches({ letter }: QueuedLetter, { handler }: LetterFilter): boolean {
    if (handler === undefined) return true;
    if (letter.handler !== null) return letter.handler === handler;
    return this.#runners.some(({ name, group }) => name === handler && group === letter.consumerGroup);
  }
}

function queued(subscription: string, { id, data }: StreamEntry): QueuedLetter {
  const queue = deadLetterStream(subscription);
  return { id, queue, subscription, letter: parseDeadLetter(data, { stream: queue, id }) };
}

/** Newest first, those without a time last, as upstream sorts them. */
function byFailure(a: QueuedLetter, b: QueuedLetter): number {
  const [x, y] = [a.letter.failedAt ?? "", b.letter.failedAt ?? ""];
  return x < y ? 1 : x > y ? -1 : 0;
}
