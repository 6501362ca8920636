/**
 * Waiting for another process, of which no event can be awaited: its files, its database and its probes are
 * asked again and again, with an end.
 *
 * @module
 */

export interface UntilOptions {
  /** Longest wait, in milliseconds. @default 60_000 */
  readonly within?: number;
  /** Between two questions, in milliseconds. @default 20 */
  readonly every?: number;
  /** Asked at every turn: a text ends the wait at once, as when the process that is waited for has ended. */
  readonly hopeless?: () => string | undefined;
}

/**
 * Resolves when `condition` holds; returns the milliseconds it took. An error of `condition` counts as "not
 * yet" and is told if time runs out: what is asked may be the very thing that was stopped.
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  { within = 60_000, every = 20, hopeless = () => undefined }: UntilOptions = {},
): Promise<number> {
  const began = performance.now();
  let last: unknown;
  while (true) {
    try {
      if (await condition()) return performance.now() - began;
      last = undefined;
    } catch (error) {
      last = error;
    }
    const end = hopeless() ?? (performance.now() - began > within ? `not within ${within} ms` : undefined);
    if (end !== undefined) throw new Error(`Waited for ${what}: ${end}.`, { cause: last });
    await pause(every);
  }
}

/** Part of a schedule, such as the time between two kills; never a way to wait for something. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
