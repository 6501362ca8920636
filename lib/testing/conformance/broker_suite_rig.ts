/**
 * What the rules of the broker suite work with.
 *
 * @module
 */
import type { BaseBroker, PublishResult, StreamEntry, StreamGroup } from "../../adapters/ports.ts";

/** An opened broker under test. */
export interface BrokerFixture {
  readonly broker: BaseBroker;
  /**
   * Opens a second instance on the same backend, as another process would; the fixture's `close` closes it.
   */
  readonly another?: () => Promise<BaseBroker>;
  /**
   * Lets at least `ms` pass for the broker: moves its clock, or waits where the backend has a clock of its
   * own.
   */
  elapse(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** What one rule works with: names nobody else uses, and short forms. */
export interface BrokerRig {
  readonly broker: BaseBroker;
  /** Another process's broker, or the same one where the backend cannot be shared. */
  readonly other: BaseBroker;
  readonly stream: string;
  elapse(ms: number): Promise<void>;
  /** Publishes to `stream`; returns the ids. */
  publish(...data: string[]): Promise<readonly string[]>;
  /** A consumer of `g1` (or `options.group`) on `stream`, its group created; closed after the rule. */
  consumer(name: string, options?: ConsumerOptions): Promise<StreamGroup>;
}

export interface ConsumerOptions {
  readonly broker?: BaseBroker;
  readonly group?: string;
  readonly stream?: string;
  readonly lane?: boolean;
  readonly maxEntryBytes?: number;
  /** @default true */
  readonly ensure?: boolean;
}

/** Registers one rule: a sentence, and what proves it. */
export type Rule = (sentence: string, prove: (rig: BrokerRig) => Promise<void>) => void;

/** Names of its own for one rule. Consumers are added to `groups`, which the caller closes. */
export async function openBench(fixture: BrokerFixture, groups: StreamGroup[]): Promise<BrokerRig> {
  const { broker } = fixture;
  const stream = `suite_${crypto.randomUUID().slice(0, 8)}::order`;
  return {
    broker,
    other: fixture.another ? await fixture.another() : broker,
    stream,
    elapse: (ms) => fixture.elapse(ms),
    publish: async (...data) => idsOf(await broker.publish(data.map((text) => ({ stream, data: text })))),
    consumer: async (consumer, options = {}) => {
      const group = (options.broker ?? broker).group({
        stream: options.stream ?? stream,
        group: options.group ?? "g1",
        consumer,
        lane: options.lane ?? false,
        maxEntryBytes: options.maxEntryBytes,
      });
      groups.push(group);
      if (options.ensure ?? true) await group.ensure();
      return group;
    },
  };
}

/** The ids of what was published or read; throws the first failure. */
export function idsOf(results: readonly (PublishResult | StreamEntry)[]): readonly string[] {
  return results.map((result) => {
    if ("error" in result) throw result.error;
    return result.id;
  });
}

/** The texts of what was read. */
export function textsOf(entries: readonly StreamEntry[]): readonly (string | undefined)[] {
  return entries.map(({ data }) => data);
}

/** `numbered(3)` is `["1", "2", "3"]`. */
export function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => String(index + 1));
}

/** Element `index`, which must be there. */
export function at<T>(list: readonly T[], index: number): T {
  const found = list.at(index);
  if (found === undefined) throw new Error(`Nothing at ${index} of ${list.length}.`);
  return found;
}
