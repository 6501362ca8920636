/**
 * Streams that the broker refuses while it takes others: a key of another type, ids that are used up, a key
 * that the user may not touch. They wait by themselves, and readiness says which and why (D8).
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { WorkReporter } from "../status/work_health.ts";

const log = getLogger(["protean", "outbox"]);

/** Streams that are told of by name; what more of them are refused is the same trouble. */
const MOST = 1_000;

export class StreamRefusals {
  readonly #processor: string;
  readonly #work: WorkReporter;
  readonly #refused = new Set<string>();

  /** `processor` is its name in logs. */
  constructor(processor: string, work: WorkReporter) {
    this.#processor = processor;
    this.#work = work;
  }

  /** Nothing was put into `stream`; told in the log once, until something is. */
  refused(stream: string, { message }: Error): void {
    this.#work.unavailable(message);
    if (this.#refused.has(stream) || this.#refused.size >= MOST) return;
    this.#refused.add(stream);
    log.warn("outbox.stream_refused", { processor: this.#processor, stream, error: message });
  }

  /** Something was put into `stream`. */
  taken(stream: string): void {
    if (this.#refused.size === 0 || !this.#refused.delete(stream)) return;
    log.info("outbox.stream_taken", { processor: this.#processor, stream });
    if (this.#refused.size === 0) this.#work.ok();
  }
}
