/**
 * The domain of `domains/tasks.js`, installed: tasks are given to it from the command line, and its notes
 * tell what became of them.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { Installation, type RunningServer } from "./server.ts";

export const CATEGORY = "tasks::task";

/** One message: its stream, and what its handler does. */
export interface Task {
  readonly id: string;
  readonly does: "nothing" | "wait" | "heed" | "ignore" | "drop" | "forget" | "fail" | "die" | "spin";
}

/** What the tests look at in a dead letter. */
export interface Letter {
  readonly error_message: string;
  /** Attempts. */
  readonly retry_count: number;
}

export class Tasks implements AsyncDisposable {
  private constructor(readonly installation: Installation) {}

  static async create(extra = ""): Promise<Tasks> {
    const domain = new URL("domains/tasks.js", import.meta.url).pathname;
    return new Tasks(await Installation.create(extra, { domain }));
  }

  start(args: readonly string[] = []): Promise<RunningServer> {
    return this.installation.start(args);
  }

  /** Sends them, in order. */
  async give(tasks: readonly Task[]): Promise<void> {
    const input = tasks.map((task) => JSON.stringify(task)).join("\n");
    const sent = await this.installation.command(["send", "TaskGiven", "-"], { input });
    assertEquals(sent.code, 0, sent.err);
  }

  /** Runs a server that works off everything available, and returns its exit code. */
  async once(): Promise<number> {
    const server = await this.installation.launch(["--once"]);
    await server.finished();
    await server.logged;
    return (await server.child.status).code;
  }

  /** Ids of the tasks whose handler was started, in order, as often as it was. */
  started(): Promise<string[]> {
    return this.#noted("start");
  }

  /** Ids of the tasks whose handler came to its end. */
  ended(): Promise<string[]> {
    return this.#noted("end");
  }

  /** In the order in which they failed. */
  async deadLetters(): Promise<Letter[]> {
    const listed = await this.installation.command(["dlq", "list", "--json"]);
    assertEquals(listed.code, 0, listed.err);
    const letters: Letter[] = JSON.parse(listed.out).data.messages;
    return letters.map(({ error_message, retry_count }) => ({ error_message, retry_count }));
  }

  async #noted(what: "start" | "end"): Promise<string[]> {
    try {
      const notes = await Deno.readTextFile(`${this.installation.folder}/tasks.log`);
      return notes.split("\n").filter((line) => line.startsWith(`${what} `)).map((line) =>
        line.slice(what.length + 1)
      );
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.installation[Symbol.asyncDispose]();
  }
}

/** What the server's log says under one event name, in order. */
export async function logged(server: RunningServer, event: string): Promise<Record<string, unknown>[]> {
  await server.logged;
  return (await server.log()).split("\n").filter((line) => line !== "")
    .map((line): Record<string, unknown> => JSON.parse(line))
    .filter((line) => line["event"] === event);
}
