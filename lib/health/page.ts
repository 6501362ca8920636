/**
 * A page on the probe port that has to be made first: the metrics. Beside the probes, which are answered from
 * memory alone.
 *
 * @module
 */
import { type Clock, sleep } from "../async/clock.ts";

export interface Page {
  /** `/metrics` */
  readonly path: string;
  readonly contentType: string;
  /** Undefined where it cannot be made in time. Never rejects. */
  text(): Promise<string | undefined>;
}

/** What is said of a page by whoever does not make it. */
export type PagePlace = Pick<Page, "path" | "contentType">;

/** The metrics, at `[server.metrics] path`, as Prometheus reads them. */
export function metricsPlace(path: string): PagePlace {
  return { path, contentType: "text/plain; version=0.0.4; charset=utf-8" };
}

/** Less than a connection to the port may last. */
const MOST_MS = 3_000;

/** Questions for a page to somebody who answers later, in another thread or process. */
export class PageRequests {
  readonly #clock: Clock;
  readonly #ask: (id: number) => void;
  readonly #open = new Map<number, (text: string | undefined) => void>();
  #last = 0;

  /** `ask` sends a question off; it must not throw. */
  constructor(clock: Clock, ask: (id: number) => void) {
    this.#clock = clock;
    this.#ask = ask;
  }

  /** Undefined where nobody answers within three seconds. */
  async text(): Promise<string | undefined> {
    const id = ++this.#last;
    const over = new AbortController();
    const answered = new Promise<string | undefined>((resolve) => this.#open.set(id, resolve));
    this.#ask(id);
    const late = sleep(this.#clock, MOST_MS, over.signal).then(() => undefined);
    try {
      return await Promise.race([answered, late]);
    } finally {
      this.#open.delete(id);
      over.abort();
    }
  }

  answered(id: number, text: string | undefined): void {
    this.#open.get(id)?.(text);
  }
}
