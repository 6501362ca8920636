/**
 * Where a command reads and writes. Data goes to `out` (stdout), talk to `err` (stderr). Commands touch the
 * process only through this interface, so tests run them with a recording one.
 *
 * @module
 */

import { systemClock } from "../async/clock.ts";
import { asError } from "../errors.ts";
import { PatientWriter } from "../telemetry/patient_writer.ts";

/**
 * The terminal, pipes and surroundings of one run. Writing never throws; it is synchronous until `detach`.
 */
export interface CliIo {
  /** Writes data to stdout, as it is. Text for a reader who has gone is dropped. */
  out(text: string): void;
  /** Writes talk to stderr, as it is. Text for a reader who has gone is dropped. */
  err(text: string): void;
  /**
   * Why text for stdout was lost although somebody may want it, such as a full disk; not set for a reader who
   * has gone.
   */
  readonly outFailure?: Error | undefined;
  /**
   * From now on `err` does not wait for its reader, for a process that must go on whatever becomes of its
   * log: what the reader does not take is kept up to a bound, then dropped. `dropped` hears of it once there
   * is room again; where it is `shared` with other processes, lines are kept whole. Absent: `err` never waits anyway.
   */
  detach?(dropped: (count: number, bytes: number) => void, shared?: boolean): void;
  /**
   * Returns what writes to stdout as a detached `err` does, for what others have printed: whoever passes it on
   * must not stand still with it. Absent: `out` never waits anyway.
   */
  passOn?(dropped: (count: number, bytes: number) => void): (text: string) => void;
  /** Waits a moment for the readers of a detached `err` and of `passOn`; nothing is written to them afterwards. */
  settle?(): Promise<void>;
  /** Bytes from stdin; one reader per run. */
  stdin(): ReadableStream<Uint8Array>;
  /** True when stdout is a terminal: tables may use colours. */
  readonly isTerminal: boolean;
  /** True when stderr is a terminal: progress bars and readable logs. */
  readonly errIsTerminal: boolean;
  /** True when stdin is a terminal: somebody can answer a question. */
  readonly inIsTerminal: boolean;
  /** Width of the terminal in characters; 80 when there is none. */
  readonly columns: number;
  /** An environment variable; undefined when it is not set. */
  env(name: string): string | undefined;
  /** Absolute path of the current folder. */
  cwd(): string;
}

/** How long a full pipe that does not block is waited for before its text is dropped. */
const FULL_PIPE_WAIT_MS = 5_000;

/** What a pipe takes in one piece, however many write to it (POSIX: `PIPE_BUF`). */
const ATOMIC_BYTES = 4096;

/** How long the reader of a detached log is waited for at the end. */
const SETTLE_MS = 1_000;

/** The process's own input and output. */
export function processIo(): CliIo {
  let outFailure: Error | undefined;
  const err = writer(Deno.stderr);
  let patient: PatientWriter | undefined;
  let passing: PatientWriter | undefined;
  return {
    out: writer(Deno.stdout, (error) => outFailure = error),
    get outFailure() {
      return outFailure;
    },
    err: (text) => patient ? patient.write(text) : err(text),
    detach(dropped, shared = false) {
      patient ??= new PatientWriter({
        ...{ target: Deno.stderr, clock: systemClock, dropped },
        ...(shared && { batchBytes: ATOMIC_BYTES }),
      });
    },
    passOn(dropped) {
      const writer = passing ??= new PatientWriter({ target: Deno.stdout, clock: systemClock, dropped });
      return (text) => writer.write(text);
    },
    settle: async () => {
      await Promise.all([patient, passing].map((writer) => writer?.close(SETTLE_MS)));
    },
    stdin: () => Deno.stdin.readable,
    isTerminal: terminal(Deno.stdout),
    errIsTerminal: terminal(Deno.stderr),
    inIsTerminal: terminal(Deno.stdin),
    columns: columns(),
    env: (name) => Deno.env.get(name),
    cwd: () => Deno.cwd(),
  };
}

/**
 * Writes whole texts. A reader that went away (EPIPE) or a descriptor that was never open costs nothing but
 * the text; any other failure is handed to `failed`, once, and ends the writing too.
 */
export function writer(
  target: { writeSync(bytes: Uint8Array): number },
  failed: (error: Error) => void = () => {},
): (text: string) => void {
  const encoder = new TextEncoder();
  let gone = false;
  return (text) => {
    if (gone) return;
    let rest = encoder.encode(text);
    const deadline = Date.now() + FULL_PIPE_WAIT_MS;
    while (rest.length > 0) {
      try {
        rest = rest.subarray(target.writeSync(rest));
      } catch (error) {
        // A pipe that somebody made non-blocking is only full: its reader needs a moment.
        if (error instanceof Deno.errors.WouldBlock && Date.now() < deadline) {
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
          continue;
        }
        gone = true;
        if (!nobodyReads(error)) failed(asError(error));
        return;
      }
    }
  };
}

function nobodyReads(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.BadResource;
}

function terminal(stream: { isTerminal(): boolean }): boolean {
  try {
    return stream.isTerminal();
  } catch {
    return false;
  }
}

function columns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return 80;
  }
}
