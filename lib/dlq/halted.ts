/**
 * Keys of parted categories at which groups stand still (wire 2.11): listed, and set going again by leaving out
 * the entry that fails.
 *
 * @module
 */
import type { BaseBroker, HaltedPartition } from "../adapters/ports.ts";
import type { Clock } from "../async/clock.ts";
import { subscriptionBroker } from "../domain/places.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { ProteanError } from "../errors.ts";
import { renderDeadLetter } from "../message/dead_letter.ts";
import { deadLetterStream } from "../message/names.ts";
import { partitionStream } from "../message/partitions.ts";
import { parseTime } from "../message/time.ts";
import { named, placeNames, type SubscriptionPlace } from "./named.ts";

/** One key at which one handler stands still. */
export interface HaltedKey extends HaltedPartition, SubscriptionPlace {}

/** What is asked of a domain. */
export type HaltedRuntime = Pick<DomainRuntime, "brokers" | "runners" | "clock">;

export class HaltedKeys {
  readonly #broker: BaseBroker;
  readonly #clock: Clock;

  constructor(private readonly runtime: HaltedRuntime) {
    this.#broker = subscriptionBroker(runtime);
    this.#clock = runtime.clock;
  }

  /**
   * In order of declaration, then of key. `subscription`: of this handler, consumer group or stream category
   * alone. Throws where it is none of this domain's; rejects as the broker does.
   */
  async list(subscription?: string): Promise<readonly HaltedKey[]> {
    const all = this.runtime.runners.flatMap(({ name: handler, group, categories }) =>
      categories.map((category) => ({ handler, group, category }))
    );
    const lists = await Promise.all(
      named(all, subscription).map(async (place) => {
        const found = await this.#broker.partitions?.halted(place.category, place.group) ?? [];
        return found.map((halted) => ({ ...place, ...halted }));
      }),
    );
    return lists.flat();
  }

  /** The one of `subscription` with that key. Throws where there is none, or several. */
  async find(subscription: string, key: string): Promise<HaltedKey> {
    const [found, ...others] = (await this.list(subscription)).filter((halted) => halted.key === key);
    if (found && others.length === 0) return found;
    throw new ProteanError(
      found
        ? `Key '${key}' stands still in several subscriptions (${
          placeNames([found, ...others])
        }): name the handler where a category was named, or the category.`
        : `Key '${key}' of '${subscription}' does not stand still: see \`subscriptions partitions\` for those that do.`,
      { code: "PARTITION_NOT_HALTED" },
    );
  }

  /** Acknowledges the entry; its owner goes on with the next. Throws where the key goes on already. */
  async skip(halted: HaltedKey): Promise<void> {
    const { category: stream, group } = halted;
    await this.#unblock({ stream, group, halted: pure(halted) }, halted);
  }

  /** Moves the entry to the dead letters of its category, which it can be replayed from. Throws as `skip`. */
  async deadLetter(halted: HaltedKey, maxReceivedBytes: number): Promise<void> {
    const { category: stream, group, key, halt, handler } = halted;
    const originalStream = partitionStream(stream, key);
    const [entry] = await this.#broker.entries?.(originalStream, [halt.id], {
      maxEntryBytes: maxReceivedBytes,
    }) ?? [];
    if (!entry) {
      throw new ProteanError(
        `Entry ${halt.id} of '${originalStream}' is not there any more, so there is nothing to keep: skip it.`,
        { code: "PARTITION_NOT_HALTED" },
      );
    }
    const error = new Error(halt.error_message);
    error.name = halt.error_type;
    error.stack = `${halt.error_type}: ${halt.error_message}`;
    const data = renderDeadLetter(entry.data, {
      ...{ originalStream, originalId: halt.id, consumerGroup: group, consumer: halt.owner, handler, error },
      retryCount: halt.attempts,
      failedAt: parseTime(halt.halted_at) ?? this.#clock.now(),
      truncated: entry.tooLarge,
    });
    const letter = { deadLetterStream: deadLetterStream(stream), data };
    await this.#unblock({ stream, group, halted: pure(halted), letter }, halted);
  }

  async #unblock(
    unblock: Parameters<NonNullable<BaseBroker["partitions"]>["unblock"]>[0],
    { key, category }: HaltedKey,
  ): Promise<void> {
    if (await this.#broker.partitions?.unblock(unblock)) return;
    throw new ProteanError(
      `Key '${key}' of '${category}' was set going by somebody else, or tried again by its next owner: nothing was ` +
        "changed here.",
      { code: "PARTITION_NOT_HALTED" },
    );
  }
}

function pure({ key, halt }: HaltedKey): HaltedPartition {
  return { key, halt };
}
