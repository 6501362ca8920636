/**
 * The watching side of `watchdog.ts`.
 *
 * @module
 */
import { Shared } from "./watchdog.ts";

const HANGING_MS = 60_000;
const LOOK_MS = 1_000;

self.addEventListener("message", (event) => {
  const shared = new Shared((event as MessageEvent<SharedArrayBuffer>).data);
  let seen = -1;
  let since = 0;
  setInterval(() => {
    const { turns } = shared;
    if (turns !== seen || turns % 2 === 0) {
      seen = turns;
      since = performance.now();
    } else if (performance.now() - since > HANGING_MS) {
      const seed = Deno.env.get("PROPERTY_SEED") ?? "the usual one";
      const said = `No end after ${HANGING_MS / 1000} s (seed: ${seed}), killing the run. ${shared.text}\n`;
      Deno.stderr.writeSync(new TextEncoder().encode(said));
      Deno.kill(Deno.pid, "SIGKILL");
    }
  }, LOOK_MS);
});
