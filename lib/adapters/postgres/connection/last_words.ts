/**
 * What a PostgreSQL server says before it closes a connection. The driver tells nobody, for such an error
 * belongs to no statement, or is followed by nothing that would end one.
 *
 * @module
 */

/** An error message of the server is shorter, as a rule. */
const KEPT = 2048;
const ERROR_RESPONSE = "E".charCodeAt(0);

/** The end of what a connection has received; bounded to some kilobytes. */
export class LastWords {
  #before: Uint8Array = new Uint8Array();
  #last: Uint8Array = new Uint8Array();

  /** Takes a piece as it came from the socket. */
  heard(piece: Uint8Array): void {
    this.#before = this.#last;
    this.#last = piece.slice(-KEPT);
  }

  /**
   * The server's reason and its SQLSTATE, where what came last is an error that ends the connection;
   * undefined otherwise.
   */
  get reason(): string | undefined {
    const bytes = new Uint8Array([...this.#before, ...this.#last]);
    const view = new DataView(bytes.buffer);
    for (let at = bytes.length - 5; at >= 0; at--) {
      if (bytes[at] !== ERROR_RESPONSE || view.getInt32(at + 1) !== bytes.length - at - 1) continue;
      const { S: shown, V: untranslated, C: state, M: message } = fieldsOf(bytes.subarray(at + 5));
      // Poolers leave the second one out.
      const severity = untranslated ?? shown;
      if ((severity === "FATAL" || severity === "PANIC") && message) return `${message} (SQLSTATE ${state})`;
    }
    return undefined;
  }
}

/** Each field is a letter and a text that a zero ends. */
function fieldsOf(bytes: Uint8Array): Readonly<Record<string, string>> {
  const texts = new TextDecoder().decode(bytes).split("\0").filter((text) => text !== "");
  return Object.fromEntries(texts.map((text) => [text.charAt(0), text.slice(1)]));
}
