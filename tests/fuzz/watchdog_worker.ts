/**
 * The watching side of `watchdog.ts`.
 *
 * @module
 */
import { Shared, type Watched } from "./watchdog.ts";

const LOOK_MS = 1_000;

self.addEventListener("message", (event) => {
  const { memory, hangingMs } = (event as MessageEvent<Watched>).data;
  const shared = new Shared(memory);
  let seen = -1;
  let since = 0;
  setInterval(() => {
    const { turns } = shared;
    if (turns !== seen || turns % 2 === 0) {
      seen = turns;
      since = performance.now();
    } else if (performance.now() - since > hangingMs) {
      const seed = Deno.env.get("PROPERTY_SEED") ?? "the usual one";
      const said = `No end after ${hangingMs / 1000} s (seed: ${seed}), killing the run. ${shared.text}\n`;
      Deno.stderr.writeSync(new TextEncoder().encode(said));
      Deno.kill(Deno.pid, "SIGKILL");
    }
  }, LOOK_MS);
});
