/**
 * What a supervisor and its workers say to each other through the worker's stdin and stdout: JSON, one a line.
 * A worker's stdout is also its domain's, so what is ours begins with a mark and the rest is passed on.
 *
 * @module
 */
import type { HealthReport } from "../health/report.ts";

/** Down: `drain` begins the drain, `abort` is the second signal, `quiesce` is `POST /drainz`, `page` asks for one. */
export type Order =
  | { readonly order: "drain"; readonly reason: string }
  | { readonly order: "abort" }
  | { readonly order: "quiesce" }
  | { readonly order: "page"; readonly id: number };

/** Up: how the worker is, the page that was asked for, or why it cannot begin: the last thing that it says. */
export type Report =
  | HealthReport
  | { readonly page: number; readonly text?: string | undefined }
  | { readonly refused: string };

/** No text that a program prints begins with it. */
const MARK = "\u001e";

/** Longest line that is kept until its end comes; longer ones are passed on in pieces. */
const MOST_CHARACTERS = 8 * 1024 * 1024;

export function orderLine(order: Order): string {
  return `${JSON.stringify(order)}\n`;
}

/** The order on a line; undefined where it is none. */
export function orderOf(line: string): Order | undefined {
  try {
    const { order, reason, id } = JSON.parse(line) as Record<string, unknown>;
    if (order === "drain") return { order, reason: String(reason) };
    if (order === "page") return { order, id: Number(id) };
    return order === "abort" || order === "quiesce" ? { order } : undefined;
  } catch {
    return undefined;
  }
}

/** On a line of its own, whatever was printed before. */
export function reportLine(report: Report): string {
  return `${MARK}${JSON.stringify(report)}\n`;
}

/** Tells the reports of a worker from what its domain prints. */
export class ReportReader {
  readonly #heard: (report: Report) => void;
  readonly #printed: (text: string) => void;

  constructor(heard: (report: Report) => void, printed: (text: string) => void) {
    this.#heard = heard;
    this.#printed = printed;
  }

  /** Reads until the end; never rejects. */
  async read(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const line of lines(stream)) this.#take(line);
  }

  #take(line: string): void {
    const at = line.indexOf(MARK);
    const printed = at < 0 ? line : line.slice(0, at);
    if (printed !== "") this.#printed(printed);
    if (at < 0) return;
    try {
      this.#heard(JSON.parse(line.slice(at + MARK.length)));
    } catch {
      // Something was printed into the middle of it: the next one comes soon.
    }
  }
}

/** Lines with their ends, the last one maybe without; a stream that breaks has ended. */
export async function* lines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  try {
    for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
      rest += piece;
      for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
        yield rest.slice(0, end + 1);
        rest = rest.slice(end + 1);
      }
      if (rest.length > MOST_CHARACTERS) {
        yield rest;
        rest = "";
      }
    }
  } catch {
    // The other side has gone.
  }
  if (rest !== "") yield rest;
}
