/**
 * The supervisor as a worker has it: orders come in on stdin, health goes out on stdout. The end of the pipe
 * means that the supervisor is gone, however it went: the worker drains and ends, too.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { Clock } from "../async/clock.ts";
import type { HealthListenerFactory } from "../health/listener.ts";
import { HealthReporter } from "../health/report.ts";
import { type PatientTarget, PatientWriter } from "../telemetry/patient_writer.ts";
import { lines, type Order, orderOf, type Report, reportLine } from "./protocol.ts";

const log = getLogger(["protean", "supervisor"]);

/** How long a supervisor that does not read is waited for. */
const LAST_WORD_MS = 1_000;

export interface ParentOptions {
  readonly orders: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly reports: PatientTarget;
  /** From one report to the next. */
  readonly everyMs: number;
  readonly clock: Clock;
}

export class Parent {
  readonly #drain = new AbortController();
  readonly #cut = new AbortController();
  readonly #reporter: HealthReporter;
  readonly #writer: PatientWriter;
  #quiesced = false;
  #attached = false;

  /** Reports that the loop turns from now on. */
  constructor({ orders, reports, everyMs, clock }: ParentOptions) {
    this.#writer = new PatientWriter({ target: reports, clock, dropped: () => {} });
    this.#reporter = new HealthReporter({ everyMs, clock, send: (report) => this.#write(report) });
    void this.#reporter.start();
    void this.#listen(orders);
  }

  /** Aborts when the worker is to drain; `reason` is why. */
  get drain(): AbortSignal {
    return this.#drain.signal;
  }

  /** Aborts at the second signal. */
  get cut(): AbortSignal {
    return this.#cut.signal;
  }

  /** For the engine: what it says goes to the supervisor, who answers the probes. */
  readonly listener: HealthListenerFactory = ({ source }) => {
    this.#reporter.attach(source);
    this.#attached = true;
    if (this.#quiesced) this.#reporter.drain();
    return this.#reporter;
  };

  /** Tells why this worker cannot begin, and resolves when it has. Nothing is told afterwards. */
  async refuse(reason: string): Promise<void> {
    this.#write({ refused: reason });
    await this.#writer.close(LAST_WORD_MS);
  }

  #write(report: Report): void {
    this.#writer.write(reportLine(report));
  }

  async #listen(orders: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const line of lines(orders)) {
      const order = orderOf(line);
      if (order) this.#obey(order);
    }
    if (!this.#drain.signal.aborted) log.warn("worker.supervisor_gone", { pid: Deno.pid });
    this.#drain.abort("the supervisor is gone");
  }

  async #page(page: number): Promise<void> {
    this.#write({ page, text: await this.#reporter.page() });
  }

  #obey(order: Order): void {
    if (order.order === "drain") return this.#drain.abort(order.reason);
    if (order.order === "abort") return this.#cut.abort("abort");
    if (order.order === "page") return void this.#page(order.id);
    this.#quiesced = true;
    if (this.#attached) this.#reporter.drain();
  }
}
