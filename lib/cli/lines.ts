/**
 * Lines of a byte stream, one at a time: no input is held in memory whole, and a line has a longest length
 * (SEC-3).
 *
 * @module
 */

/** A line, or why it could not be read; `number` counts from 1, blank lines included. */
export type Line =
  | { readonly number: number; readonly text: string }
  | { readonly number: number; readonly problem: string };

const LF = 0x0a;

/**
 * Yields every line without its end. What is too long or not UTF-8 is yielded as a problem, and reading goes
 * on.
 */
export async function* readLines(
  source: ReadableStream<Uint8Array>,
  options: { readonly maxBytes: number },
): AsyncGenerator<Line> {
  for await (const lines of readLineBatches(source, options)) yield* lines;
}

/**
 * The same lines, those together that arrived together: whoever works on many at once never waits for more.
 */
export async function* readLineBatches(
  source: ReadableStream<Uint8Array>,
  { maxBytes }: { readonly maxBytes: number },
): AsyncGenerator<readonly Line[]> {
  let parts: Uint8Array[] = [];
  let length = 0;
  let number = 0;
  const add = (bytes: Uint8Array) => {
    length += bytes.length;
    // What is beyond the limit is only counted.
    if (length <= maxBytes) parts.push(bytes);
  };
  const take = (): Line => {
    const line = finish(++number, parts, length, maxBytes);
    parts = [];
    length = 0;
    return line;
  };
  for await (const chunk of source) {
    const lines: Line[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      add(chunk.subarray(start, end));
      lines.push(take());
      start = end + 1;
    }
    if (start < chunk.length) add(chunk.subarray(start));
    if (lines.length > 0) yield lines;
  }
  if (length > 0) yield [take()];
}

function finish(number: number, parts: readonly Uint8Array[], length: number, maxBytes: number): Line {
  if (length > maxBytes) return { number, problem: `longer than ${maxBytes} bytes` };
  const bytes = parts.length === 1 && parts[0] ? parts[0] : joined(parts, length);
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: number !== 1 }).decode(bytes);
    return { number, text: text.endsWith("\r") ? text.slice(0, -1) : text };
  } catch {
    return { number, problem: "not UTF-8" };
  }
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
