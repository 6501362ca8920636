/**
 * Letters for a file, and back.
 *
 * @module
 */
import type { StreamEntry } from "../adapters/ports.ts";
import type { SavedDeadLetter } from "../domain/dead_letters.ts";
import { asError } from "../errors.ts";
import type { LetterPlace } from "./places.ts";

/** Undefined where there is no text, or no more than its beginning. */
export function savedLetter(
  { stream, broker }: LetterPlace,
  { id, data, tooLarge }: StreamEntry,
): SavedDeadLetter | undefined {
  if (data === undefined || tooLarge) return undefined;
  return { dlqStream: stream, id, broker: broker.name, data };
}

/** Puts letters back at the end of their queues, in order; for each its new id, or why it was refused. */
export async function putBack(
  places: readonly LetterPlace[],
  letters: readonly SavedDeadLetter[],
): Promise<({ readonly id: string } | { readonly why: string })[]> {
  const results: ({ readonly id: string } | { readonly why: string })[] = [];
  for (const letter of letters) {
    const why = refusal(letter);
    const place = why === undefined
      ? places.find(({ stream, broker }) => stream === letter.dlqStream && broker.name === letter.broker)
      : undefined;
    if (!place) {
      const unknown =
        `the domain has no dead-letter queue '${letter.dlqStream}' on the broker '${letter.broker}'`;
      results.push({ why: why ?? unknown });
      continue;
    }
    const [result] = await place.broker.publish([{ stream: place.stream, data: letter.data ?? "" }]);
    if (result && "id" in result) results.push({ id: result.id });
    else results.push({ why: asError(result?.error).message });
  }
  return results;
}

/** What may come from a file is looked at, whatever its type says. */
function refusal({ dlqStream, broker, data }: Partial<SavedDeadLetter>): string | undefined {
  for (const [key, value] of Object.entries({ dlqStream, broker, data })) {
    if (typeof value !== "string" || value === "") return `it has no text '${key}'`;
  }
  return undefined;
}
