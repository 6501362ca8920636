/**
 * Passwords that change while a server runs: out of a file that somebody else writes, or from a command that
 * tells the one that is valid now. Asked again for every new connection, kept by nobody, logged nowhere.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { abortable, onAbort, timeLimit } from "../async/abort.ts";
import type { Clock } from "../async/clock.ts";
import { asError, ConfigurationError, RefusedError, systemReason } from "../errors.ts";

/** Tokens that stand for passwords have one or two thousand bytes. */
const MAX_BYTES = 64 * 1024;
/** How long a command may take. */
const COMMAND_MS = 10_000;

/** Where the password of an adapter comes from. */
export interface PasswordSource {
  /** For sentences: `'databases.default.password_file'`. */
  readonly setting: string;
  /** Throws `RefusedError` for what no waiting mends: a file that is not there, a right that is missing. */
  check(): Promise<void>;
  /**
   * The password of this moment. Rejects as `check` does, with the reason of `signal`, or, where another try
   * may help, with an `Error` whose message is the middle of a sentence.
   */
  read(signal: AbortSignal | undefined): Promise<string>;
}

/**
 * What the adapter's table says: `password_file`, absolute, or `password_command`, a program and its
 * arguments; undefined where it says neither. `section` is the table's name, such as `databases.default`.
 * Throws `ConfigurationError` where it says both, or the URI has a password as well (`inUri`).
 */
export function passwordSource(
  section: string,
  settings: Readonly<Record<string, unknown>>,
  { clock, inUri }: { readonly clock: Clock; readonly inUri: boolean },
): PasswordSource | undefined {
  const { password_file: file, password_command: command } = settings;
  // An overlay takes back with an empty value what stands in the base.
  const words = Array.isArray(command) ? command.map(String) : [];
  const named = typeof file === "string" && file !== "";
  if (!named && words.length === 0) return undefined;
  const key = `${section}.${named ? "password_file" : "password_command"}`;
  const other = named && words.length > 0 ? `'${section}.password_command'` : inUri ? "the URI" : undefined;
  if (other !== undefined) {
    const message = `'${key}' and ${other} name a password each: keep one of them.`;
    throw new ConfigurationError(message, { problems: [{ code: "CONFIG_INVALID_VALUE", message, key }] });
  }
  return named ? new PasswordFile(`'${key}'`, file) : new PasswordCommand(`'${key}'`, words, clock);
}

class PasswordFile implements PasswordSource {
  constructor(readonly setting: string, private readonly path: string) {}

  async check(): Promise<void> {
    await this.read();
  }

  async read(): Promise<string> {
    const password = passwordIn(await this.#bytes());
    return "text" in password ? password.text : this.#refuse(`${password.wrong}: write the password into it`);
  }

  async #bytes(): Promise<Uint8Array> {
    try {
      const { isFile, isDirectory, size } = await Deno.stat(this.path);
      // A pipe or a device could be read for ever.
      if (!isFile) this.#refuse(`is ${isDirectory ? "a folder" : "no file"}: name a file with one line`);
      if (size > MAX_BYTES) this.#refuse(`is larger than ${MAX_BYTES / 1024} KiB: name a file with one line`);
      return await Deno.readFile(this.path);
    } catch (cause) {
      if (cause instanceof RefusedError) throw cause;
      if (cause instanceof Deno.errors.NotFound) {
        this.#refuse("does not exist: correct the path, or put the file there", cause);
      }
      if (cause instanceof Deno.errors.PermissionDenied) {
        this.#refuse("may not be read by this process: give its user the right to read it", cause);
      }
      this.#refuse(`cannot be read (${systemReason(cause)}): correct the path`, cause);
    }
  }

  #refuse(what: string, cause?: unknown): never {
    throw new RefusedError(`The file '${this.path}' that ${this.setting} names ${what}.`, {
      code: "PASSWORD_FILE",
      cause,
    });
  }
}

class PasswordCommand implements PasswordSource {
  readonly #program: string;
  readonly #args: readonly string[];

  constructor(readonly setting: string, words: readonly string[], private readonly clock: Clock) {
    [this.#program = "", ...this.#args] = words;
  }

  async check(): Promise<void> {
    const { state } = await Deno.permissions.query({ name: "run", command: this.#program });
    if (state === "granted") return;
    throw new RefusedError(
      `${this.setting} cannot be obeyed: this process has no permission to run other programs; ` +
        "compile the executable with --allow-run, start with --allow-run, or name a 'password_file' instead.",
      { code: "PASSWORD_COMMAND" },
    );
  }

  async read(signal: AbortSignal | undefined): Promise<string> {
    signal?.throwIfAborted();
    await this.check();
    using limit = timeLimit(COMMAND_MS, this.clock, signal);
    const child = this.#start();
    using _ = onAbort(limit.signal, () => kill(child));
    try {
      const [output, { code, signal: killed }] = await abortable(
        Promise.all([this.#output(child.stdout), child.status]),
        limit.signal,
      );
      if (code !== 0) {
        throw new Error(`${this.setting} has failed (${killed ? `signal ${killed}` : `exit code ${code}`})`);
      }
      const password = passwordIn(output);
      if ("text" in password) return password.text;
      throw new Error(`what ${this.setting} has written ${password.wrong}`);
    } catch (error) {
      kill(child);
      signal?.throwIfAborted();
      if (!limit.signal.aborted) throw error;
      throw new Error(`${this.setting} has not ended within ${COMMAND_MS / 1000} s`, { cause: error });
    }
  }

  /** Everything that it writes, unless that is too much. */
  async #output(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let length = 0;
    for await (const piece of stream) {
      pieces.push(piece);
      length += piece.length;
      if (length > MAX_BYTES) {
        throw new Error(`${this.setting} has written more than ${MAX_BYTES / 1024} KiB`);
      }
    }
    return Buffer.concat(pieces);
  }

  #start(): Deno.ChildProcess {
    try {
      return new Deno.Command(this.#program, {
        args: [...this.#args],
        stdin: "null",
        stdout: "piped",
        // It may tell what it should not, and nobody would read it.
        stderr: "null",
      }).spawn();
    } catch (cause) {
      throw new RefusedError(
        `The program that ${this.setting} names cannot be started (${
          systemReason(cause)
        }): correct its path.`,
        { code: "PASSWORD_COMMAND", cause },
      );
    }
  }
}

/** The one line that is there, or how a sentence about what is there goes on. */
function passwordIn(bytes: Uint8Array): { readonly text: string } | { readonly wrong: string } {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes).replace(/\r?\n$/, "");
  } catch {
    return { wrong: "is no UTF-8 text" };
  }
  if (text === "") return { wrong: "is empty" };
  // It ends a text on the wire; and of several lines nobody knows which one is meant.
  return /[\0\r\n]/.test(text) ? { wrong: "has several lines or a NUL character" } : { text };
}

function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    if (!(error instanceof TypeError)) throw asError(error); // It has ended already.
  }
}
