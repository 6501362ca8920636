import { assertEquals } from "@std/assert";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { isTaskRunner, listenForStopSignals } from "../../../lib/engine/signals.ts";

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

Deno.test("a task runner is known by its command line, and not by where it is installed", () => {
  const lines: [boolean, string[]][] = [
    [true, ["deno", "task", "start"]],
    [true, ["/home/ann/.npm/_npx/1/node_modules/deno/deno", "task", "-q", "start"]],
    [true, ["npm run start"]],
    [true, ["/usr/bin/npx", "deno"]],
    [false, ["/home/ann/.npm/_npx/1/node_modules/deno/deno", "test", "-A", "tests/task_test.ts"]],
    [false, ["deno", "run", "-A", "main.ts", "task"]],
    [false, ["/sbin/init"]],
    [false, [""]],
  ];
  for (const [expected, line] of lines) {
    assertEquals(isTaskRunner(line.join("\0") + "\0"), expected, line.join(" "));
  }
});
