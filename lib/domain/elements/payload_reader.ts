/**
 * Reading a payload of one type string: brought up to the current version, then validated.
 *
 * @module
 */
import { asError, DeserializationError } from "../../errors.ts";
import { keepsBigints } from "../../message/exact_numbers.ts";
import { isLargeData } from "../../message/large_data.ts";
import { isJsonObject } from "../../message/parse.ts";
import type { MessageDefinition } from "./message_definition.ts";
import { validate } from "./schema.ts";
import type { Row } from "../types.ts";

export class Reader {
  readonly message: MessageDefinition;
  /** Version that the payloads have. */
  readonly from: number;
  readonly #what: string;

  constructor(message: MessageDefinition, from: number) {
    this.message = message;
    this.from = from;
    this.#what = `The data of ${message.label}`;
  }

  /** The validated payload. Throws `ValidationError` and, where an upcaster fails, `DeserializationError`. */
  read(data: Readonly<Row>): unknown {
    const current = this.from === this.message.version ? data : this.#upcast(data);
    return validate(this.message.schema, current, this.#what, isLargeData(data));
  }

  #upcast(data: Readonly<Row>): Row {
    // A copy: an upcaster that changes its argument must not find it changed when the message is read once
    // more.
    let row: unknown = structuredClone(data);
    for (let version = this.from; version < this.message.version; version++) {
      try {
        row = this.message.upcasters[version]?.(row as Row);
      } catch (cause) {
        throw this.#failure(version, asError(cause).message, cause);
      }
      if (!isJsonObject(row)) throw this.#failure(version, "it returned no object");
    }
    return keepsBigints(row as Row, data);
  }

  #failure(version: number, reason: string, cause?: unknown): DeserializationError {
    return new DeserializationError(
      `The upcaster of ${this.message.name} from version ${version} failed: ${reason.slice(0, 200)}.`,
      { outline: `The upcaster of ${this.message.name} from version ${version} failed.`, cause },
    );
  }
}

/**
 * One reader per type string that `message` can be read from: its own, and those of older versions from which
 * its upcasters lead to it without a gap.
 */
export function readersOf(message: MessageDefinition): ReadonlyMap<string, Reader> {
  const stem = message.typeString.replace(/\d+$/, "");
  const readers = new Map([[message.typeString, new Reader(message, message.version)]]);
  for (let version = message.version - 1; version > 0 && message.upcasters[version]; version--) {
    readers.set(`${stem}${version}`, new Reader(message, version));
  }
  return readers;
}
