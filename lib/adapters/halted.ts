/**
 * What is noted of the keys at which groups stand still, as text and back.
 *
 * @module
 */
import type { Halt, HaltedPartition } from "./ports.ts";

/** From pairs of key and note, in order of key. What is no such note is left out. */
export function haltedIn(noted: Iterable<readonly [key: string, note: string]>): readonly HaltedPartition[] {
  return [...noted].flatMap(([key, note]) => {
    const halt = parsed(note);
    return halt ? [{ key, halt }] : [];
  }).sort((a, b) => a.key < b.key ? -1 : 1);
}

function parsed(note: string): Halt | undefined {
  try {
    const halt = JSON.parse(note) as Halt;
    return typeof halt.id === "string" ? halt : undefined;
  } catch {
    return undefined;
  }
}
