/**
 * Which dead-letter queues are maintained, and by whose rules: several handlers may share one (DLQ-1).
 *
 * @module
 */
import type { DeadLetter } from "../message/dead_letter.ts";

/** One handler's rules for its dead letters. */
export interface HandlerRule {
  readonly handler: string;
  readonly group: string;
  readonly retentionHours: number;
  readonly alertThreshold: number;
  /**
   * It dead-letters there no more: it reads the event store by now, or its dead letters were switched off. What
   * it has left is still trimmed, and nobody is alerted about it.
   */
  readonly isFormer?: boolean;
}

/** A dead-letter queue and the handlers whose letters it holds. */
export interface WatchedQueue {
  /** `my_domain::order:dlq`. */
  readonly stream: string;
  readonly rules: readonly HandlerRule[];
}

/** Hours for which the queue keeps what nobody of ours asks a shorter time for. */
export function longestRetention({ rules }: WatchedQueue): number {
  return Math.max(...rules.map(({ retentionHours }) => retentionHours));
}

/** Rules that keep less than the queue as a whole. */
export function shorterRules(queue: WatchedQueue): readonly HandlerRule[] {
  const longest = longestRetention(queue);
  return queue.rules.filter(({ retentionHours }) => retentionHours < longest);
}

/**
 * The rule that a letter falls under: that of the handler it names, or where it names none (Python's do not)
 * of its group. Undefined: nobody's of this domain.
 */
export function ruleOf(
  letter: Pick<DeadLetter, "handler" | "consumerGroup">,
  rules: readonly HandlerRule[],
): HandlerRule | undefined {
  if (letter.handler !== null) return rules.find(({ handler }) => handler === letter.handler);
  return rules.find(({ group }) => group === letter.consumerGroup);
}

/** Letters that are counted together, against one threshold. */
export interface Party {
  readonly rules: readonly HandlerRule[];
  readonly threshold: number;
  /** The whole queue is counted, whoever's its letters are; else those of the one rule. */
  readonly whole: boolean;
}

/**
 * Who is alerted about a queue. Handlers that leave the threshold as it is for all watch the queue as a
 * whole, as the guide has it; one with a threshold of its own watches its own letters, unless the queue is
 * its alone.
 */
export function partiesOf(queue: WatchedQueue, common: number): readonly Party[] {
  const rules = queue.rules.filter(({ isFormer }) => !isFormer);
  const [only, ...others] = rules;
  if (only && others.length === 0) return [{ rules, threshold: only.alertThreshold, whole: true }];
  const own = rules.filter(({ alertThreshold }) => alertThreshold !== common);
  const parties: Party[] = own.map((rule) => ({
    rules: [rule],
    threshold: rule.alertThreshold,
    whole: false,
  }));
  const rest = rules.filter(({ alertThreshold }) => alertThreshold === common);
  return rest.length === 0 ? parties : [{ rules: rest, threshold: common, whole: true }, ...parties];
}
