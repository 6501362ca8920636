/**
 * How many dead letters there are, and how old the oldest is: for gauges, also where no maintenance runs.
 *
 * @module
 */
import { deadline } from "../async/abort.ts";
import { type Clock, sleep } from "../async/clock.ts";
import { Inquiry } from "../status/inquiry.ts";
import type { LetterPlace } from "./places.ts";

/** One queue, as it was looked at. */
export interface QueueLook {
  readonly stream: string;
  readonly depth: number;
  /** By the broker's clock; undefined: there is none, or nobody can tell. */
  readonly oldestAgeMs: number | undefined;
}

/** Asks for each queue once; one that does not answer is left out. Never rejects. */
export async function lookAtQueues(
  places: readonly Pick<LetterPlace, "stream" | "broker" | "deadLetters">[],
  inquiry: Inquiry,
): Promise<readonly QueueLook[]> {
  const now = new Map<string, Promise<number | null>>();
  const found = await Promise.all(places.map(async ({ stream, broker, deadLetters }) => {
    const depth = await inquiry.of(() => deadLetters.depth(stream));
    if (depth === null) return [];
    if (depth === 0) return [{ stream, depth, oldestAgeMs: undefined }];
    const oldest = await inquiry.of(() => deadLetters.oldest(stream));
    const time = now.get(broker.name) ?? inquiry.of(() => broker.time());
    now.set(broker.name, time);
    const at = await time;
    const isKnown = at !== null && oldest !== null && oldest !== undefined;
    return [{ stream, depth, oldestAgeMs: isKnown ? Math.max(0, at - oldest) : undefined }];
  }));
  return found.flat();
}

/** As often as the monitor looks at everything else. */
const EVERY_MS = 2_000;
/** For one look. */
const PATIENCE_MS = 5_000;

/** Looks at queues again and again until `stop()`. */
export class QueueWatch {
  readonly #stopping = new AbortController();
  #figures: readonly QueueLook[] = [];

  /** The first look is at once. */
  constructor(places: readonly LetterPlace[], clock: Clock) {
    void this.#run(places, clock);
  }

  /** As of the last look. */
  get figures(): readonly QueueLook[] {
    return this.#figures;
  }

  stop(): void {
    this.#stopping.abort();
  }

  async #run(places: readonly LetterPlace[], clock: Clock): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const look = () => lookAtQueues(places, new Inquiry());
      this.#figures = await deadline(look, PATIENCE_MS, clock, signal).catch(() => []);
      await sleep(clock, EVERY_MS, signal);
    }
  }
}
