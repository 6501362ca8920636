/** The watchdog of the fuzzers: an input that a check never comes back from is told, and ends the run. */
import { assertEquals, assertStringIncludes } from "@std/assert";

const WATCHDOG = new URL("watchdog.ts", import.meta.url).href;

async function run(script: string): Promise<{ readonly signal: string | null; readonly stderr: string }> {
  const { signal, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", `import { Watchdog } from ${JSON.stringify(WATCHDOG)};\n${script}`],
    env: { PROPERTY_SEED: "4711" },
  }).output();
  return { signal, stderr: new TextDecoder().decode(stderr) };
}

Deno.test("a check that never ends is killed, and its input and seed are told", async () => {
  const { signal, stderr } = await run(`
    const watchdog = new Watchdog(1_000);
    // Its thread begins to look when this one has begun to wait for it.
    await new Promise((resolve) => setTimeout(resolve, 500));
    watchdog.begin(() => "earlier");
    watchdog.end();
    watchdog.begin(() => "fuzz: names: \u00e9 the input");
    while (true);
  `);
  assertEquals(signal, "SIGKILL", stderr);
  assertStringIncludes(stderr, "(seed: 4711), killing the run. fuzz: names: \u00e9 the input");
});

Deno.test("checks that end, and the time between them, are nobody's end", async () => {
  const { signal, stderr } = await run(`
    const watchdog = new Watchdog(1_000);
    for (let at = 0; at < 3; at++) {
      watchdog.begin(() => "short");
      watchdog.end();
      await new Promise((resolve) => setTimeout(resolve, 1_200));
    }
    watchdog.stop();
  `);
  assertEquals(signal, null, stderr);
});
