/**
 * A dead letter whose payload somebody has mended by hand: judged as its handler would, given its checksum
 * anew, and put in place of the one that failed.
 *
 * @module
 */
import { MAIN_BROKER } from "../domain/places.ts";
import { asError, ProteanError } from "../errors.ts";
import { canonicalText } from "../message/canonical_text.ts";
import { checksumOf } from "../message/checksum.ts";
import { withOriginal } from "../message/dead_letter.ts";
import { decodeMessage, encodeRaw } from "../message/envelope.ts";
import { parseWithExactKeys } from "../message/exact_keys.ts";
import { memberText } from "../message/json_text.ts";
import { keepDigits } from "../message/keep_digits.ts";
import { isJsonObject, parseJson } from "../message/parse.ts";
import type { DeadLetterQueues, QueuedLetter } from "./queues.ts";

/** The newest letters among which the mended one is looked for. */
const LOOKED_AT = 200;

/**
 * The payload for an editor, indented. Throws `ProteanError` with the code `DLQ_NO_MESSAGE` where there is
 * none.
 */
export function payloadText({ id, letter }: QueuedLetter): string {
  const data = memberText(letter.text, "data");
  if (
    letter.message === undefined || data === undefined || memberText(letter.text, "metadata") === undefined
  ) {
    throw new ProteanError(`DLQ message '${id}' is no message, so there is no payload to edit: purge it.`, {
      code: "DLQ_NO_MESSAGE",
    });
  }
  return `${JSON.stringify(parseWithExactKeys(data, keepDigits), null, 2)}\n`;
}

/**
 * Puts the letter with this payload at the end of its queue, and takes the old one away, in one step;
 * returns the new one. Throws `ProteanError` with the code `DLQ_EDIT_REFUSED` for what the handler would
 * refuse, and `DLQ_GONE`.
 */
export async function replaceLetter(
  queues: DeadLetterQueues,
  found: QueuedLetter,
  payload: string,
  most: number,
): Promise<QueuedLetter> {
  const { id, queue, subscription, letter, broker = MAIN_BROKER } = found;
  const place = queues.places({ subscription }).find((place) =>
    place.stream === queue && place.broker.name === broker
  );
  const entry = await place?.deadLetters.get(queue, id, queues.largest);
  if (!place || !entry) throw gone(id);
  const text = messageText(found, payload);
  assertHandled(queues, found, text, most);
  const data = withOriginal(entry.data ?? "", text);
  if (!place.deadLetters.release) throw refused(id, `the broker '${broker}' cannot replace letters`);
  if (!await place.deadLetters.release(queue, id, queue, data)) throw gone(id);
  const newest = await place.deadLetters.list(queue, { direction: "backwards", limit: LOOKED_AT });
  const mended = newest.find((other) => other.data === data);
  if (!mended) throw gone(id);
  return await queues.whole({ ...found, id: mended.id, letter }) ?? found;
}

function messageText({ id, letter }: QueuedLetter, payload: string): string {
  let data: string;
  try {
    if (!isJsonObject(parseJson(payload))) throw new Error("it is no JSON object");
    data = canonicalText(payload);
  } catch (error) {
    throw refused(id, asError(error).message);
  }
  const metadata = parseWithExactKeys(memberText(letter.text, "metadata") ?? "{}", keepDigits);
  if (!isJsonObject(metadata)) throw refused(id, "its metadata is no JSON object");
  const envelope = isJsonObject(metadata["envelope"]) ? metadata["envelope"] : {};
  const signed = { ...metadata, envelope: { ...envelope, checksum: checksumOf(data) } };
  return encodeRaw(data, JSON.stringify(signed));
}

/** Throws unless the handler of the group that failed would run. */
function assertHandled(
  { runners }: DeadLetterQueues,
  { id, subscription, letter: { consumerGroup } }: QueuedLetter,
  text: string,
  most: number,
): void {
  const runner = runners.find(({ group, categories }) =>
    group === consumerGroup && categories.includes(subscription)
  );
  if (!runner) throw refused(id, `no handler of this domain reads with the group '${consumerGroup}'`);
  let why: string | undefined;
  try {
    const verdict = runner.judge(decodeMessage(text, most));
    if (verdict.kind === "poison") why = verdict.error.message;
    else if (verdict.kind !== "run") why = `${runner.name} does not handle it`;
  } catch (error) {
    why = asError(error).message;
  }
  if (why !== undefined) throw refused(id, why);
}

function refused(id: string, why: string): ProteanError {
  return new ProteanError(
    `The edited payload of DLQ message '${id}' is refused, and nothing was changed: ${why}`,
    {
      code: "DLQ_EDIT_REFUSED",
    },
  );
}

function gone(id: string): ProteanError {
  return new ProteanError(`DLQ message '${id}' was not edited: somebody else replayed or purged it first.`, {
    code: "DLQ_GONE",
  });
}
