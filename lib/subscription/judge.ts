/**
 * What is to be done with a delivery: its text read, put in order by its key, and asked of the handler.
 *
 * @module
 */
import { turn } from "../async/turn.ts";
import type { TooLarge } from "../adapters/ports.ts";
import type { Verdict } from "../domain/handler_port.ts";
import { asError, MessageTooLarge } from "../errors.ts";
import { markGeneration, originalText, summarizeDeadLetter } from "../message/dead_letter.ts";
import { decodeMessage, readMessage, verified } from "../message/envelope.ts";
import { LARGE_TEXT } from "../message/large_data.ts";
import type { Message } from "../message/types.ts";
import { type Delivery, keyOf } from "./delivery.ts";
import type { SubscriptionScope } from "./scope.ts";

export class Judge {
  readonly #scope: Pick<SubscriptionScope, "runner" | "maxReceivedBytes">;
  readonly #reader: (delivery: Delivery) => Message;

  constructor(scope: Pick<SubscriptionScope, "runner" | "maxReceivedBytes">) {
    this.#scope = scope;
    const { runner, maxReceivedBytes: most } = scope;
    this.#reader = (delivery) => {
      const text = textOf(delivery);
      return runner.decode ? runner.decode(text, most, setSource(delivery)) : decodeMessage(text, most);
    };
  }

  /** Decodes and judges, once. Never throws. */
  atOnce(delivery: Delivery): Verdict {
    try {
      if (delivery.truncated) throw tooLarge(delivery.truncated, this.#scope.maxReceivedBytes);
      delivery.reader = this.#reader;
      return delivery.verdict = this.#verdictOn(delivery, this.#reader(delivery));
    } catch (error) {
      return delivery.verdict = { kind: "poison", error: asError(error) };
    }
  }

  /** The same for a large one, step by step, so that no step holds the event loop for long. Never rejects. */
  async inTurns(delivery: Delivery): Promise<Verdict> {
    try {
      delivery.reader = this.#reader;
      const text = textOf(delivery);
      await turn();
      const { runner, maxReceivedBytes } = this.#scope;
      const message = runner.decode ? this.#reader(delivery) : readMessage(text, maxReceivedBytes);
      await turn();
      // What another system has sent carries nothing to be held against.
      if (!runner.decode) verified(text, message);
      await turn();
      const verdict = this.#verdictOn(delivery, message);
      delivery.verdict = verdict;
    } catch (error) {
      delivery.verdict = { kind: "poison", error: asError(error) };
    }
    const { verdict } = delivery;
    await turn();
    return verdict;
  }

  #verdictOn(delivery: Delivery, message: Message): Verdict {
    const { id, stream } = message.metadata.headers;
    const { runner } = this.#scope;
    // Of another system's stream: its messages have an order where they say so themselves.
    if (delivery.key === "") delivery.key = runner.decode ? keyOf(delivery) : stream || delivery.id;
    if (id === "") setSource(delivery);
    if (delivery.batch.lane.kind === "replay") delivery.generation = markGeneration(delivery.text);
    const verdict = runner.judge(message);
    if (verdict.kind === "run") delivery.message = message;
    return verdict;
  }
}

/** Read and judged step by step. */
export function isLarge({ text, truncated }: Delivery): boolean {
  return text !== undefined && text.length > LARGE_TEXT && !truncated;
}

function tooLarge({ bytes }: TooLarge, most: number): MessageTooLarge {
  return new MessageTooLarge(
    `The message has ${bytes} bytes, more than the ${most} of max_received_bytes in [server], and was not read: ` +
      "raise the limit and have it sent again.",
  );
}

/** What was delivered; a replayed dead letter is unwrapped, so that it is judged as it was the first time. */
function textOf({ text, batch }: Delivery): string | undefined {
  return text === undefined || batch.lane.kind !== "replay" ? text : originalText(text);
}

/** Notes, and returns, where it was read first: what it is told apart by. */
function setSource(delivery: Delivery): ReturnType<typeof firstPlace> {
  const first = firstPlace(delivery);
  delivery.source = `${first.stream}/${first.id}`;
  return first;
}

/** Where the message was read first. A replayed dead letter tells it, however often it was replayed. */
export function firstPlace({ id, text, batch }: Delivery): { readonly stream: string; readonly id: string } {
  const { kind, source: { origin: stream } } = batch.lane;
  if (kind !== "replay") return { stream, id };
  const { originalId, originalStream } = summarizeDeadLetter(text, { stream, id });
  // Of one of its own lanes: anybody may have written the letter.
  return { stream: originalStream.startsWith(`${stream}:`) ? originalStream : stream, id: originalId };
}
