/**
 * One Python for all inputs of a file: a line of JSON there, a line back.
 *
 * @module
 */
import { say } from "./fuzz.ts";

/**
 * Reads lists of JSON texts; answers, for each, what upstream makes of it: canonical text and checksum, or
 * null where it refuses the text.
 */
const PROGRAM = `
import hashlib, json, sys

def upstream(text):
    try:
        canonical = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError):
        return None
    return [canonical, hashlib.sha256(canonical.encode("utf-8")).hexdigest()]

for line in sys.stdin:
    print(json.dumps([upstream(text) for text in json.loads(line)]), flush=True)
`;

export type Upstream = readonly [canonical: string, checksum: string] | null;

/** True where there is a python3. In CI its absence is an error: a suite that skips itself proves nothing. */
export const pythonAvailable: boolean = detect();

function detect(): boolean {
  try {
    if (new Deno.Command("python3", { args: ["-c", ""] }).outputSync().success) return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const advice = "install it (apt-get install python3)";
  if (Deno.env.get("CI") === "1") {
    throw new Error(`The checksum fuzzers need python3 on the PATH: ${advice}.`);
  }
  say(`IGNORED: the checksum fuzzers need python3 on the PATH: ${advice}.`);
  return false;
}

export class Python {
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #rest = "";

  constructor() {
    this.#process = new Deno.Command("python3", {
      args: ["-u", "-c", PROGRAM],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#writer = this.#process.stdin.getWriter();
    this.#reader = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  async upstream(texts: readonly string[]): Promise<readonly Upstream[]> {
    await this.#writer.write(new TextEncoder().encode(`${JSON.stringify(texts)}\n`));
    return JSON.parse(await this.#line());
  }

  async end(): Promise<void> {
    await this.#writer.close();
    while (!(await this.#reader.read()).done);
    await this.#process.status;
  }

  async #line(): Promise<string> {
    const pieces = [this.#rest];
    for (;;) {
      const piece = pieces.at(-1) ?? "";
      const end = piece.indexOf("\n");
      if (end >= 0) {
        this.#rest = piece.slice(end + 1);
        return [...pieces.slice(0, -1), piece.slice(0, end)].join("");
      }
      const { done, value } = await this.#reader.read();
      if (done) throw new Error("Python has ended.");
      pieces.push(value);
    }
  }
}
