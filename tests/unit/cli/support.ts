/** Surroundings of one command, recorded. */
import type { CliIo } from "../../../lib/cli/io.ts";

/** What a recording io answers, and what was written to it. */
export interface RecordingIo extends CliIo {
  readonly stdout: string;
  readonly stderr: string;
}

/** Options of `recordingIo`; everything is empty and nothing is a terminal by default. */
export interface Surroundings {
  readonly stdin?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly terminal?: boolean;
}

export function recordingIo(surroundings: Surroundings = {}): RecordingIo {
  const written = { out: "", err: "" };
  const { terminal = false, stdin = "", env = {} } = surroundings;
  return {
    out: (text) => void (written.out += text),
    err: (text) => void (written.err += text),
    stdin: () => new Response(stdin as BodyInit).body ?? ReadableStream.from([]),
    isTerminal: terminal,
    errIsTerminal: terminal,
    inIsTerminal: terminal,
    columns: 100,
    env: (name) => env[name],
    cwd: () => surroundings.cwd ?? Deno.cwd(),
    get stdout() {
      return written.out;
    },
    get stderr() {
      return written.err;
    },
  };
}

/** What was said on stderr besides the lines of the logger `audit`. */
export function talkOf(stderr: string): string {
  return stderr.split("\n").filter((line) => !line.includes('"logger":"audit"')).join("\n");
}

/** Lines of the logger `audit`. */
export function auditOf(stderr: string): Record<string, unknown>[] {
  return stderr.split("\n").filter((line) => line.includes('"logger":"audit"')).map((line) =>
    JSON.parse(line)
  );
}
