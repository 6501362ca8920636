/**
 * Messages of the event store that have failed, which are what dead letters are to a stream (wire 4.6): listed,
 * tried again, or left out for good.
 *
 * @module
 */
import type { BaseEventStore } from "../adapters/ports.ts";
import type { DomainRuntime } from "../domain/runtime.ts";
import { ExpectedVersionError, ProteanError } from "../errors.ts";
import { failedStream } from "../message/names.ts";
import {
  failureData,
  RECORD_TYPES,
  type RecordedFailure,
  recordedFailures,
} from "../status/store_progress.ts";
import { RecordStream } from "../subscription/record_stream.ts";
import { resolveSettings } from "../subscription/settings/resolve.ts";
import { named, placeNames, type SubscriptionPlace } from "./named.ts";

/** So many of one handler are looked at, the last ones. */
const MOST = 10_000;

/** One message that has failed in one handler. */
export interface FailedOne extends SubscriptionPlace {
  readonly failure: RecordedFailure;
  /** Of the last record in the handler's stream of failures, when it was read. */
  readonly version: number;
}

/** What is asked of a domain. */
export type FailedRuntime = Pick<DomainRuntime, "config" | "eventStore" | "runners" | "clock">;

export class FailedMessages {
  constructor(private readonly runtime: FailedRuntime) {}

  /**
   * In order of declaration, then of position. `subscription`: of this handler, consumer group or stream
   * category alone. Throws where it is none of this domain's; rejects as the store does.
   */
  async list(subscription?: string): Promise<readonly FailedOne[]> {
    const { runners, eventStore } = this.runtime;
    const all = runners.flatMap(({ name: handler, group, categories }) =>
      categories.map((category) => ({ handler, group, category }))
    );
    const wanted = named(all, subscription);
    if (!eventStore) return [];
    const lists: FailedOne[][] = [];
    for (const place of wanted) {
      const { open, version } = await recordedFailures(eventStore, place, MOST);
      const sorted = [...open.values()].sort((a, b) => a.position - b.position);
      lists.push(sorted.map((failure) => ({ ...place, failure, version })));
    }
    return lists.flat();
  }

  /** The one of `subscription` at that global position. Throws where there is none, or several. */
  async find(subscription: string, position: number): Promise<FailedOne> {
    const [found, ...others] = (await this.list(subscription)).filter(({ failure }) =>
      failure.position === position
    );
    if (found && others.length === 0) return found;
    throw new ProteanError(
      found
        ? `Position ${position} has failed in several subscriptions (${
          placeNames([found, ...others])
        }): name the handler where a category was named, or the category.`
        : `Position ${position} is none of the failed messages of '${subscription}': see \`subscriptions failed\` ` +
          "for those that are.",
      { code: "MESSAGE_NOT_FAILED" },
    );
  }

  /**
   * Has the handler's server try it again, with all its recovery passes: at the next of them, or when it
   * starts. Throws where it has none, and where the records have changed meanwhile.
   */
  async retry(found: FailedOne): Promise<void> {
    this.#assertRetried(found);
    await this.#record(found, RECORD_TYPES.failed, { ...found.failure, retryCount: 0 });
  }

  /** Leaves it out for this handler; it stays in the store. Throws where the records have changed meanwhile. */
  async skip(found: FailedOne): Promise<void> {
    await this.#record(found, RECORD_TYPES.purged, found.failure);
  }

  #assertRetried({ handler, category, failure: { position } }: FailedOne): void {
    const { config, runners } = this.runtime;
    const runner = runners.find(({ name }) => name === handler);
    if (!runner) return;
    const settings = resolveSettings({ config, handler: runner, category });
    const { enable_recovery } = config.config.server.event_store_subscription;
    const why = settings.subscriptionType !== "event_store"
      ? "it reads its stream now: let it read the event store again"
      : !enable_recovery
      ? "enable_recovery in [server.event_store_subscription] is false: set it to true"
      : settings.maxRetries === 0
      ? "its max_retries is 0: raise it"
      : undefined;
    if (why === undefined) return;
    throw new ProteanError(
      `Position ${position} would never be tried again by ${handler}, because ${why}, or leave the message out ` +
        "with --skip.",
      { code: "MESSAGE_NOT_RETRIED" },
    );
  }

  async #record(
    { group, category, version }: FailedOne,
    type: string,
    failure: FailedOne["failure"],
  ): Promise<void> {
    const { clock } = this.runtime;
    const stream = failedStream(group, category);
    const unwatched = () => {};
    const records = new RecordStream({
      ...{ store: this.#store(), clock, stream, category, version },
      mayWrite: unwatched,
      taken: unwatched,
    });
    try {
      await records.append(type, failureData(failure));
    } catch (error) {
      if (!(error instanceof ExpectedVersionError)) throw error;
      throw new ProteanError(
        `The records of '${stream}' have changed meanwhile: nothing was changed here; look again with ` +
          "`subscriptions failed`.",
        { code: "MESSAGE_NOT_FAILED", cause: error },
      );
    }
  }

  #store(): BaseEventStore {
    const { eventStore } = this.runtime;
    if (!eventStore) throw new ProteanError("The domain has no event store: configure [event_store].");
    return eventStore;
  }
}
