/**
 * The second stop signal of a process whose own loop is blocked: it hears neither, so who watches over it from
 * another thread ends it. What it was at is delivered again, as after any other cut.
 *
 * @module
 */
import { type Clock, sleep } from "../async/clock.ts";
import { SAME_SIGNAL_MS, STOP_SIGNALS } from "../async/stop_signals.ts";

/** From one look at the loop to the next. */
const LOOK_MS = 100;

export interface ToldTwiceOptions {
  /** Whether the loop has stood still for `blocked_after_seconds`. */
  readonly blocked: () => boolean;
  readonly clock: Clock;
  /** Calls `heard` at every stop signal. @default the machine's signals */
  readonly listen?: (heard: () => void) => void;
  /** @default SIGKILL to this process, after a word on stderr */
  readonly kill?: () => void;
}

/** Listens from now on; what is asked of a loop that turns is left to that. Returns when it has killed. */
export async function endWhenToldTwice(
  { blocked, clock, listen = listenToSignals, kill = killSelf }: ToldTwiceOptions,
): Promise<void> {
  let first: number | undefined;
  const { promise: told, resolve } = Promise.withResolvers<void>();
  listen(() => {
    first ??= clock.monotonic();
    if (clock.monotonic() - first >= SAME_SIGNAL_MS) resolve();
  });
  await told;
  while (!blocked()) await sleep(clock, LOOK_MS);
  kill();
}

function listenToSignals(heard: () => void): void {
  // Windows knows none of them, and what ends a process there ends a blocked one, too.
  if (Deno.build.os === "windows") return;
  for (const name of STOP_SIGNALS) Deno.addSignalListener(name, heard);
}

function killSelf(): void {
  const why = "The event loop is blocked and hears no second stop signal: the process ends itself.\n";
  try {
    Deno.stderr.writeSync(new TextEncoder().encode(why));
    Deno.kill(Deno.pid, "SIGKILL");
  } catch {
    // An executable of somebody's own may not have the permission to.
  }
}
