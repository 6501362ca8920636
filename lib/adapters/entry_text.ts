/**
 * The text of an entry as a broker holds it, in bytes: decoded up to a size, and never beyond.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { turn } from "../async/turn.ts";
import { textOfBytes } from "../message/bytes.ts";
import { KEPT_BYTES } from "../message/dead_letter.ts";
import type { StreamEntry, TextLimits } from "./ports.ts";

/** So much is hashed at once: others have their turn in between. */
const HASHED_BYTES = 16 * 1024 * 1024;

/** Counts the bytes that one answer brings. */
export class TextBudget {
  readonly #maxEntryBytes: number;
  readonly #maxBytes: number;
  #brought = 0;
  #first = true;

  constructor({ maxEntryBytes = Infinity, maxBytes = Infinity }: TextLimits = {}) {
    this.#maxEntryBytes = maxEntryBytes;
    this.#maxBytes = maxBytes;
  }

  /** Nothing more may be brought. */
  get spent(): boolean {
    return !this.#first && this.#brought >= this.#maxBytes;
  }

  /** Whether a text of so many bytes is larger than any that is brought whole. */
  isTooLarge(bytes: number): boolean {
    return bytes > this.#maxEntryBytes;
  }

  /** Whether a text of so many bytes may be brought beside the others; it is counted then. */
  takes(bytes: number): boolean {
    const brought = this.#brought + (bytes > this.#maxEntryBytes ? KEPT_BYTES : bytes);
    if (!this.#first && brought > this.#maxBytes) return false;
    this.#first = false;
    this.#brought = brought;
    return true;
  }
}

/** What of an entry is read where that is not its text. */
export type EntryText = Pick<StreamEntry, "data" | "tooLarge" | "omitted">;

/** The text, or that it was left out, or (a promise) its beginning, as `budget` says. */
export function entryText(bytes: Buffer, budget: TextBudget): string | EntryText | Promise<EntryText> {
  const { length } = bytes;
  if (!budget.takes(length)) return { data: undefined, omitted: length };
  if (budget.isTooLarge(length)) return beginning(bytes);
  return textOfBytes(bytes);
}

async function beginning(bytes: Buffer): Promise<EntryText> {
  const hash = createHash("sha256");
  for (let at = 0; at < bytes.length; at += HASHED_BYTES) {
    hash.update(bytes.subarray(at, at + HASHED_BYTES));
    await turn();
  }
  return { data: textAtFirst(bytes), tooLarge: { bytes: bytes.length, sha256: hash.digest("hex") } };
}

/** The first 64 kB; of bytes that are not UTF-8 as many as have so long a text. */
function textAtFirst(bytes: Buffer): string {
  try {
    // As a stream that goes on: a character that the cut falls into is left out.
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
    return decoder.decode(bytes.subarray(0, KEPT_BYTES), { stream: true });
  } catch {
    return textOfBytes(bytes.subarray(0, KEPT_BYTES / 2));
  }
}
