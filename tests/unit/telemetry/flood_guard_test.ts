/** What floods the log is counted and told (issue 16, 5). */
import { assertEquals } from "@std/assert";
import { getLogger } from "@logtape/logtape";
import { startLogging, stopLogging } from "../../../lib/telemetry/logging.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";

const log = getLogger(["protean", "outbox"]);

async function written(
  work: (clock: FakeClock) => unknown,
  level = "debug",
): Promise<Record<string, unknown>[]> {
  const lines: string[] = [];
  const clock = new FakeClock();
  startLogging({ write: (text) => lines.push(text), isTerminal: false, level, clock });
  try {
    await work(clock);
  } finally {
    stopLogging();
  }
  assertEquals(clock.pending, 0);
  return lines.map((line) => JSON.parse(line));
}

const events = (lines: readonly Record<string, unknown>[]) => lines.map(({ event }) => event);

Deno.test("of a flood of one line the first are written, and how many more there were once per interval", async () => {
  const lines = await written(async (clock) => {
    for (let n = 0; n < 1000; n++) {
      log.warn("outbox.failed", { processor: "p", n });
      if (n % 10 === 9) await clock.advance(600);
    }
  });
  const repeated = lines.filter(({ event }) => event === "log.repeated");
  assertEquals([lines.length - repeated.length, repeated.length], [120, 6]);
  assertEquals(repeated.reduce((sum, { times }) => sum + Number(times), 0), 880);
  const { timestamp: _, times: __, ...first } = repeated[0] ?? {};
  assertEquals(first, {
    ...{ event: "log.repeated", logger: "protean.outbox", level: "warning" },
    ...{ of: "outbox.failed", processor: "p" },
  });
});

Deno.test("one subject's flood hides nothing of another's, and other lines go on", async () => {
  const lines = await written(() => {
    for (let n = 0; n < 100; n++) log.warn("a.b", { handler: "loud" });
    log.warn("a.b", { handler: "quiet" });
    log.error("a.b", { handler: "loud" });
    log.warn("a.c", { handler: "loud" });
  });
  assertEquals(lines.length, 24);
  assertEquals(lines.at(-1)?.["times"], 80);
});

for (
  const [what, category, level] of [
    ["a handler writes itself", ["protean", "handler", "Orders"], "warning"],
    ["is written at debug", ["protean", "outbox"], "debug"],
    ["who has changed what", ["audit"], "info"],
    ["others write", ["shop"], "error"],
  ] as const
) {
  Deno.test(`what ${what} goes through as it is`, async () => {
    const logger = getLogger([...category]);
    const lines = await written(() => {
      for (let n = 0; n < 100; n++) logger[level]("x.y", { n });
    });
    assertEquals(events(lines), Array(100).fill("x.y"));
  });
}

Deno.test("a thousand subjects take no more memory than five hundred", async () => {
  const lines = await written((clock) => {
    for (let n = 0; n < 1_000; n++) {
      for (let time = 0; time < 21; time++) log.warn("x.y", { stream: `s-${n}` });
      if (clock.pending > 500) throw new Error(`${clock.pending} are kept.`);
    }
  });
  assertEquals(lines.length, 21_000);
});

Deno.test("a log that is started anew tells what the one before has kept to itself", async () => {
  const lines: string[] = [];
  const clock = new FakeClock();
  startLogging({ write: (text) => lines.push(text), isTerminal: false, clock });
  for (let n = 0; n < 21; n++) log.warn("x.y");
  await written(() => log.warn("x.y"));
  assertEquals([lines.length, JSON.parse(lines.at(-1) ?? "{}")["of"], clock.pending], [21, "x.y", 0]);
});
