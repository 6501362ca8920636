import { assertEquals, assertRejects } from "@std/assert";
import { pathToFileURL } from "node:url";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { importFromDisk } from "../../../lib/loading/disk_module.ts";

/** Runs `test` with the path of a module that holds `text`. */
async function withModule(text: string, test: (file: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "diskö #% mod " });
  try {
    await Deno.writeTextFile(`${folder}/a.js`, text);
    await test(`${folder}/a.js`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a module is imported from a path with spaces, # and %, and leaves no timer behind", async () => {
  await withModule("export const a = 1;", async (file) => {
    const clock = new FakeClock();
    assertEquals({ ...await importFromDisk(file, { clock }) }, { a: 1 });
    assertEquals(clock.pending, 0);
  });
});

/**
 * Runs `test` with a module whose top-level await lasts as long as the test: the runner forbids one that
 * never ends.
 */
async function withSlowModule(test: (file: string) => Promise<void>): Promise<void> {
  const gate = Promise.withResolvers<void>();
  const name = `gate_${crypto.randomUUID().replaceAll("-", "")}`;
  Object.assign(globalThis, { [name]: gate.promise });
  await withModule(`await globalThis.${name};`, async (file) => {
    try {
      await test(file);
    } finally {
      gate.resolve();
      await import(pathToFileURL(file).href);
    }
  });
}

Deno.test("a module that never finishes loading is given up after a minute", async () => {
  await withSlowModule(async (file) => {
    const clock = new FakeClock();
    const failed = assertRejects(
      () => importFromDisk(file, { clock }),
      Error,
      "has not finished within 60 s",
    );
    // The file is opened before the clock starts to run.
    while (clock.pending === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await clock.advance(60_000);
    await failed;
  });
});

Deno.test("a module that is still loading is let go of when the signal aborts", async () => {
  await withSlowModule(async (file) => {
    const clock = new FakeClock();
    const stop = new AbortController();
    const reason = new Error("SIGTERM");
    const stopped = assertRejects(() => importFromDisk(file, { clock, signal: stop.signal }));
    while (clock.pending === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    stop.abort(reason);
    assertEquals<unknown>(await stopped, reason);
    assertEquals(clock.pending, 0);
  });
});

Deno.test("a file that is not there is told by its name", async () => {
  const error = await assertRejects(() => importFromDisk("/nowhere/a.js"), Error);
  assertEquals(error.message.includes("/nowhere/a.js"), true, error.message);
});
