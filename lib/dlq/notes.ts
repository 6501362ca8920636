/**
 * What people note of letters that failed alike, for those who look next (operations 6).
 *
 * @module
 */
import { IncorrectUsageError, NotSupportedError, ProteanError } from "../errors.ts";
import type { LetterPlace } from "./places.ts";

/** Characters of a note. */
export const LONGEST_NOTE = 2_000;

/** Whether a text may name a group. */
export function isFingerprint(text: string): boolean {
  return /^(?:[0-9a-f]{12}|other)$/.test(text);
}

/**
 * Keeps the note in every queue that knows the group, or removes it where `text` is empty. Throws
 * `IncorrectUsageError` for what is no fingerprint or no note, `ProteanError` with the code
 * `DLQ_UNKNOWN_GROUP` where no queue has the group, nor had it when it was noted before, or `DLQ_NOTES_FULL`.
 */
export async function noteGroup(
  places: readonly LetterPlace[],
  fingerprint: string,
  text: string,
): Promise<void> {
  if (typeof fingerprint !== "string" || !isFingerprint(fingerprint)) {
    throw new IncorrectUsageError(
      "A group of dead letters is named by 12 hexadecimal digits, as `dlq stats` shows them: current value is " +
        `${JSON.stringify(fingerprint)}.`,
    );
  }
  if (typeof text !== "string" || text.length > LONGEST_NOTE) {
    throw new IncorrectUsageError(
      `A note takes a text of at most ${LONGEST_NOTE} characters, or an empty one to remove it.`,
    );
  }
  const counting = places.filter(({ deadLetters }) => deadLetters.failures !== undefined);
  if (counting.length === 0) {
    throw new NotSupportedError("No broker of this domain keeps notes on dead letters.");
  }
  const note = text.trim().toWellFormed().replaceAll("\0", "");
  let full: LetterPlace | undefined;
  let known = false;
  for (const place of counting) {
    const outcome = await place.deadLetters.failures?.note(place.stream, fingerprint, note);
    if (outcome === "kept") known = true;
    if (outcome === "full") full = place;
  }
  if (full) {
    throw new ProteanError(
      `The queue '${full.stream}' has as many notes as it keeps: remove some, by an empty text.`,
      { code: "DLQ_NOTES_FULL" },
    );
  }
  if (known) return;
  throw new ProteanError(
    `No dead letters of a group '${fingerprint}' were found: see \`dlq stats\` for those that there are.`,
    { code: "DLQ_UNKNOWN_GROUP" },
  );
}
