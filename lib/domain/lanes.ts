/**
 * Priority lanes (`[server.priority_lanes]`, PIPE-12, S59): what can wait travels on a stream of its own, which
 * is read while the other has nothing.
 *
 * @module
 */
import type { Config } from "../config/schema.ts";
import type { HandlerRunner } from "./handler_port.ts";
import { KINDS } from "./kinds.ts";

export class Lanes {
  readonly #threshold: number;
  readonly #suffix: string;

  constructor({ threshold, backfill_suffix }: Config["server"]["priority_lanes"]) {
    this.#threshold = threshold;
    this.#suffix = backfill_suffix;
  }

  /** The stream of a message of this priority: that of its category, or the backfill lane. */
  streamOf(category: string, priority: number): string {
    return priority < this.#threshold ? this.#backfill(category) : category;
  }

  /** The backfill lane that a handler reads beside a category; undefined: the stream is another system's. */
  backfillOf({ kind }: Pick<HandlerRunner, "kind">, category: string): string | undefined {
    return KINDS[kind].messages === "raw" ? undefined : this.#backfill(category);
  }

  #backfill(category: string): string {
    return `${category}:${this.#suffix}`;
  }
}

/** The lanes of a domain; undefined: it has none. */
export function lanesOf({ server: { priority_lanes } }: Config): Lanes | undefined {
  return priority_lanes.enabled ? new Lanes(priority_lanes) : undefined;
}
