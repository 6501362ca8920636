/**
 * Files of dead letters as JSON Lines: `{"dlq_stream","dlq_id","broker","data"}`, where `data` is the text of
 * the entry to the letter.
 *
 * @module
 */
import { resolve } from "node:path";
import type { SavedDeadLetter } from "../domain/dead_letters.ts";
import { systemReason } from "../errors.ts";
import type { CliIo } from "./io.ts";
import { UsageError } from "./usage_error.ts";

/** A file that is being written. What it has been given is on the disk when `write` resolves. */
export class LetterFile implements Disposable {
  readonly #file: Deno.FsFile;
  readonly #name: string;
  written = 0;

  private constructor(file: Deno.FsFile, name: string) {
    this.#file = file;
    this.#name = name;
  }

  /** Throws `UsageError` where it cannot be made, or is there already. Nobody else may read it. */
  static async create(io: CliIo, name: string): Promise<LetterFile> {
    try {
      const options = { write: true, createNew: true, mode: 0o600 };
      return new LetterFile(await Deno.open(resolve(io.cwd(), name), options), name);
    } catch (cause) {
      const why = cause instanceof Deno.errors.AlreadyExists ? "it is there already" : systemReason(cause);
      throw new UsageError(`Cannot write the file '${name}': ${why}.`, { cause });
    }
  }

  async write(letters: readonly SavedDeadLetter[]): Promise<void> {
    const text = letters.map((letter) => `${lineOf(letter)}\n`).join("");
    try {
      let rest = new TextEncoder().encode(text);
      while (rest.length > 0) rest = rest.subarray(await this.#file.write(rest));
      await this.#file.syncData();
    } catch (cause) {
      throw new UsageError(`Cannot write the file '${this.#name}': ${systemReason(cause)}.`, { cause });
    }
    this.written += letters.length;
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

function lineOf({ dlqStream, id, broker, data }: SavedDeadLetter): string {
  return JSON.stringify({ dlq_stream: dlqStream, dlq_id: id, broker, data });
}

/** The letter of a line, or why it is none. */
export function letterOf(line: string): SavedDeadLetter | { readonly why: string } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { why: "it is not valid JSON" };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { why: "it is no JSON object" };
  }
  const { dlq_stream: dlqStream, dlq_id: id = "", broker = "default", data } = value as Record<
    string,
    unknown
  >;
  for (const [key, text] of Object.entries({ dlq_stream: dlqStream, dlq_id: id, broker, data })) {
    if (typeof text !== "string") return { why: `its '${key}' is no text` };
  }
  return { dlqStream: String(dlqStream), id: String(id), broker: String(broker), data: String(data) };
}
