import { assertEquals } from "@std/assert";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { listenForStopSignals } from "../../../lib/engine/signals.ts";

async function signal(name: Deno.Signal): Promise<void> {
  const heard = Promise.withResolvers<void>();
  const listener = () => heard.resolve();
  // A listener alone does not keep the event loop turning.
  const turning = setInterval(() => {}, 1000);
  Deno.addSignalListener(name, listener);
  Deno.kill(Deno.pid, name);
  await heard.promise;
  clearInterval(turning);
  Deno.removeSignalListener(name, listener);
}

Deno.test("a second signal cuts at once, however soon it comes", async () => {
  const signals = listenForStopSignals(new FakeClock(), () => false);
  try {
    await signal("SIGTERM");
    assertEquals([signals.drain.reason, signals.cut.aborted], ["SIGTERM", false]);
    await signal("SIGTERM");
    assertEquals(signals.cut.reason, "SIGTERM");
  } finally {
    signals.dispose();
  }
});

Deno.test("a signal that comes twice at once through a task runner is one; a later one cuts", async () => {
  const clock = new FakeClock();
  const signals = listenForStopSignals(clock, () => true);
  try {
    await signal("SIGTERM");
    await signal("SIGTERM");
    assertEquals([signals.drain.reason, signals.cut.aborted], ["SIGTERM", false]);
    await clock.advance(1000);
    await signal("SIGTERM");
    assertEquals(signals.cut.reason, "SIGTERM");
  } finally {
    signals.dispose();
  }
});
