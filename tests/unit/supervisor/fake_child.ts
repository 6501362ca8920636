/** A worker process that exists in the test alone. */
import { lines, type Order, orderOf, reportLine } from "../../../lib/supervisor/protocol.ts";
import type { HealthReport } from "../../../lib/health/report.ts";
import type { HealthSnapshot } from "../../../lib/health/types.ts";
import type { Child } from "../../../lib/supervisor/worker_process.ts";

export const READY: HealthSnapshot = { shuttingDown: false, components: [] };

export class FakeChild implements Child {
  readonly orders: Order[] = [];
  readonly stdin: WritableStream<Uint8Array<ArrayBuffer>>;
  readonly stdout: Child["stdout"];
  readonly status: Promise<Deno.CommandStatus>;
  readonly #ended = Promise.withResolvers<Deno.CommandStatus>();
  #out: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | undefined;
  killed = false;

  /** `obeys`: it ends with this code as soon as it is told to drain. */
  constructor(readonly pid: number, readonly obeys: number | "never" = 0) {
    const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
    this.stdin = writable;
    this.status = this.#ended.promise;
    this.stdout = new ReadableStream({
      start: (controller) => {
        this.#out = controller;
      },
    }) as Child["stdout"];
    void this.#listen(readable);
  }

  print(text: string): void {
    this.#out?.enqueue(new TextEncoder().encode(text));
  }

  report(report: HealthReport): void {
    this.print(reportLine(report));
  }

  end(code: number, signal: Deno.Signal | null = null): void {
    try {
      this.#out?.close();
    } catch {
      // It was closed before.
    }
    this.#ended.resolve({ success: code === 0, code, signal });
  }

  kill(): void {
    this.killed = true;
    this.end(137, "SIGKILL");
  }

  async #listen(orders: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const line of lines(orders)) {
      const order = orderOf(line);
      if (order) this.orders.push(order);
      if (order?.order === "drain" && this.obeys !== "never") this.end(this.obeys);
    }
  }
}
