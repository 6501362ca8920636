/**
 * Processes that run `operations_child.ts`.
 *
 * @module
 */

export interface Child {
  readonly process: Deno.ChildProcess;
  /** Lines that it has printed. */
  readonly said: string[];
  /** Resolves when it has ended; its last line. */
  readonly ended: Promise<string>;
}

export function begin(args: readonly string[]): Child {
  const script = new URL("operations_child.ts", import.meta.url).pathname;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", script, ...args],
    ...{ stdin: "null", stdout: "piped", stderr: "null" },
  }).spawn();
  const said: string[] = [];
  const reading = (async () => {
    for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
      said.push(...text.split("\n").filter((line) => line !== ""));
    }
    await process.status;
    return said.at(-1) ?? "";
  })();
  return { process, said, ended: reading };
}
