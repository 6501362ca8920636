/**
 * A handler's `onDeadLetter`: told of its message before that goes to the dead letters, at least once.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { letterFacts } from "../domain/dead_letter_entry.ts";
import type { DeadLetterEntry } from "../domain/types.ts";
import { asError } from "../errors.ts";
import { summarizeDeadLetter } from "../message/dead_letter.ts";
import { errorLine, logLine } from "../message/describe_error.ts";
import { deadLetterStream } from "../message/names.ts";
import type { Message } from "../message/types.ts";
import type { Delivery } from "./delivery.ts";
import type { SubscriptionScope } from "./scope.ts";

const log = getLogger(["protean", "subscription"]);

export class DeadLetterHook {
  readonly #scope: SubscriptionScope;
  /** Once in a process is enough, however often the broker has to be asked to take the entry. */
  readonly #told = new WeakSet<Delivery>();

  constructor(scope: SubscriptionScope) {
    this.#scope = scope;
  }

  /**
   * Runs the hook, if there is one; `text` is what the dead-letter stream is about to be given. False: the
   * delivery may not be brought to its end here, for it was lost, cut or given up meanwhile. Never rejects.
   */
  async run(delivery: Delivery, text: string): Promise<boolean> {
    const { runner, inbox, figures } = this.#scope;
    if (!runner.onDeadLetter || this.#told.has(delivery)) return true;
    inbox.attend(delivery);
    try {
      const message = readAgain(delivery);
      await runner.onDeadLetter(this.#entry(delivery, text, message), message, delivery);
    } catch (thrown) {
      // Whoever has the entry next calls it again.
      if (delivery.ended) return false;
      figures.happened("hooksFailed");
      const facts = { handler: runner.name, stream: delivery.batch.lane.name, entry: delivery.id };
      log.debug("subscription.dead_letter_hook_failed", { ...facts, error: errorLine(thrown) });
      log.error("subscription.dead_letter_hook_failed", { ...facts, error: logLine(asError(thrown)) });
    }
    this.#told.add(delivery);
    return delivery.mayCommit();
  }

  #entry(delivery: Delivery, text: string, message: Message | undefined): DeadLetterEntry {
    const { runner, name } = this.#scope;
    const { source } = delivery.batch.lane;
    return {
      // Nobody has given it one yet.
      id: "",
      dlqStream: deadLetterStream(source.origin),
      subscription: name,
      handler: runner.name,
      consumerGroup: source.group,
      ...letterFacts(summarizeDeadLetter(text)),
      payload: message?.data ?? delivery.text,
    };
  }
}

/** Undefined where it cannot be read, or nobody has dared to: it may be what kills its processes. */
function readAgain(delivery: Delivery): Message | undefined {
  try {
    return delivery.reader && delivery.again();
  } catch {
    return undefined;
  }
}
