import { assert, assertEquals, assertFalse } from "@std/assert";
import { firstOf } from "../../../lib/async/abort.ts";

Deno.test("firstOf aborts with the first of its signals and keeps that reason", () => {
  const [a, b] = [new AbortController(), new AbortController()];
  const first = firstOf(a.signal, b.signal);
  assertFalse(first.aborted);
  b.abort("b");
  a.abort("a");
  assertEquals(first.reason, "b");
});

Deno.test("firstOf is aborted from the start when one of its signals is", () => {
  assertEquals(firstOf(new AbortController().signal, AbortSignal.abort("before")).reason, "before");
});

Deno.test("firstOf never aborts without signals", () => {
  assertFalse(firstOf().aborted);
});

Deno.test("firstOf aborts also when only its listeners know of it and memory was collected", async () => {
  const script = `
    import { firstOf } from ${JSON.stringify(new URL("../../../lib/async/abort.ts", import.meta.url).href)};
    const [a, b] = [new AbortController(), new AbortController()];
    const aborted = new Promise((resolve) => firstOf(a.signal, b.signal).addEventListener("abort", resolve));
    for (let turn = 0; turn < 5; turn++) {
      await new Promise((resolve) => setTimeout(resolve));
      gc();
    }
    a.abort();
    await aborted;
  `;
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--v8-flags=--expose-gc", script],
  }).output();
  assert(success);
});
