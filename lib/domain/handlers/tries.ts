/**
 * What each try of a handler's methods is given: the first one what was decoded, every other one the message
 * read anew, since a handler may change what it is given.
 *
 * @module
 */
import type { Message } from "../../message/types.ts";
import type { RunOptions } from "../handler_port.ts";
import type { Reader } from "../elements/payload_reader.ts";

export interface Given {
  readonly message: Message;
  readonly payload: unknown;
}

export class Tries implements Given {
  readonly message: Message;
  readonly payload: unknown;
  readonly #reader: Reader | undefined;
  readonly #source: Pick<RunOptions, "again">;
  #isUsed = false;

  /** `reader` makes the payload; undefined: nobody knows its type. `source`: what reads it anew. */
  constructor(
    message: Message,
    payload: unknown,
    reader: Reader | undefined,
    source: Pick<RunOptions, "again">,
  ) {
    this.message = message;
    this.payload = payload;
    this.#reader = reader;
    this.#source = source;
  }

  /** For the next try. Throws where the message cannot be read again. */
  next(): Given {
    const message = this.#isUsed ? this.#source.again?.() : undefined;
    this.#isUsed = true;
    if (!message) return this;
    return { message, payload: this.#reader ? this.#reader.read(message.data) : message.data };
  }
}
