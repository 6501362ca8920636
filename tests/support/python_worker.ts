/**
 * What a worker of Python Protean does on a stream, as others see it.
 *
 * @module
 */
import type { Redis } from "ioredis";

/** Reads as a Python worker does, its own pending entries first; it handles all types. */
export class PythonWorker implements AsyncDisposable {
  readonly handled: string[] = [];
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(
    readonly client: Redis,
    readonly stream: string,
    readonly group: string,
    readonly name: string,
  ) {}

  start(): void {
    this.#running = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    await this.client.xgroup("CREATE", this.stream, this.group, "0", "MKSTREAM").catch(() => {});
    while (!this.#stopped) {
      for (const from of ["0", ">"]) {
        const reply = await this.client.call("XREADGROUP", [
          ...["GROUP", this.group, this.name, "COUNT", 5, "BLOCK", 50, "STREAMS", this.stream, from],
        ]) as [string, [string, string[]][]][] | null;
        for (const [id, fields] of reply?.[0]?.[1] ?? []) {
          this.handled.push(JSON.parse(fields[1] ?? "{}").metadata.headers.id);
          await this.client.xack(this.stream, this.group, id);
        }
      }
    }
  }
}
