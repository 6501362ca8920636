/**
 * The domain of `domains/workshop`, copied to the disk of a user: outside of this project, with its own
 * domain.toml, run from any current folder.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { copyFolder } from "./copy_folder.ts";
import { run, type RunOptions } from "./run.ts";

const source = new URL("domains/workshop", import.meta.url).pathname;
const CONFIG = "[server.health]\nenabled = false\n";

/** One job: what its handler does is in `domains/workshop/domain.js`. */
export type Job = "finish" | "refuse" | "falter";

export class Workshop implements AsyncDisposable {
  private constructor(readonly folder: string, readonly home: string) {}

  /**
   * Copies the domain to the folder `name` below a folder of its own, which is the current one of what runs.
   */
  static async create(name = "workshop", config = CONFIG): Promise<Workshop> {
    const home = await Deno.makeTempDir({ prefix: "protean-disk-" });
    const folder = `${home}/${name}`;
    await copyFolder(source, folder);
    await Deno.writeTextFile(`${folder}/domain.toml`, config);
    return new Workshop(folder, home);
  }

  /** Sends jobs and works them off, each in a process of its own; both take `args`, such as `--domain=…`. */
  async work(jobs: readonly Job[], args: readonly string[], how: Partial<RunOptions> = {}): Promise<void> {
    for (const does of jobs) {
      const data = JSON.stringify({ id: `j-${does}`, does });
      const sent = await this.run(["send", "JobGiven", "--data", data, ...args], how);
      assertEquals(sent.code, 0, sent.err);
    }
    const served = await this.run(["server", "--once", ...args], how);
    assertEquals(served.code, 0, served.err);
  }

  /** Runs one command. */
  run(args: readonly string[], how: Partial<RunOptions> = {}): ReturnType<typeof run> {
    return run(args, { cwd: this.home, ...how });
  }

  /**
   * Lines of a file of JSON that handlers and adapters wrote to `folder`; none where there is no such file.
   */
  async lines(name = "report", folder = this.home): Promise<Record<string, unknown>[]> {
    try {
      const text = await Deno.readTextFile(`${folder}/${name}.jsonl`);
      return text.trim().split("\n").map((line) => JSON.parse(line));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.home, { recursive: true });
  }
}
