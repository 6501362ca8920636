/**
 * What each try of a handler's methods is given: the first one what was decoded, every other one the message
 * read anew, since a handler may change what it is given.
 *
 * @module
 */
import type { Message } from "../../message/types.ts";
import type { Reader } from "../elements/payload_reader.ts";

export interface Given {
  readonly message: Message;
  readonly payload: unknown;
}

export class Tries implements Given {
  readonly message: Message;
  readonly payload: unknown;
  readonly #reader: Reader | undefined;
  readonly #again: (() => Message) | undefined;
  #isUsed = false;

  /** `reader` makes the payload; undefined: nobody knows its type. `again`: see `RunOptions`. */
  constructor(
    message: Message,
    payload: unknown,
    reader: Reader | undefined,
    again: (() => Message) | undefined,
  ) {
    this.message = message;
    this.payload = payload;
    this.#reader = reader;
    this.#again = again;
  }

  /** For the next try. Throws where the message cannot be read again. */
  next(): Given {
    if (!this.#isUsed || !this.#again) {
      this.#isUsed = true;
      return this;
    }
    const message = this.#again();
    return { message, payload: this.#reader ? this.#reader.read(message.data) : message.data };
  }
}
