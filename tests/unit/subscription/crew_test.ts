import { assertEquals } from "@std/assert";
import { Wakeup } from "../../../lib/async/wakeup.ts";
import { Crew } from "../../../lib/subscription/crew.ts";

/** Workers that take what there is; `looks` counts how often one of them looked. */
function workers(count: number) {
  const [crew, changed, stop] = [new Crew(), new Wakeup(), new AbortController()];
  const state = { todo: 0, done: 0, looks: 0 };
  const run = async () => {
    while (!stop.signal.aborted) {
      state.looks++;
      if (state.todo === 0) await crew.wait(changed, stop.signal);
      else {
        state.todo--;
        crew.relieve();
        await Promise.resolve();
        state.done++;
      }
    }
    crew.dismiss();
  };
  const all = Promise.all(Array.from({ length: count }, run));
  const add = async (more: number) => {
    state.todo += more;
    changed.notify();
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  };
  return { state, add, stop, all, changed };
}

Deno.test("a message wakes a few workers, however many sleep", async () => {
  const { state, add, stop, all } = workers(16);
  const before = state.looks;
  await add(1);
  assertEquals([state.done, state.looks - before <= 3], [1, true]);
  stop.abort();
  await all;
});

Deno.test("many messages wake as many workers as there are", async () => {
  const { state, add, stop, all } = workers(4);
  for (const more of [4, 3, 9, 1]) await add(more);
  assertEquals([state.done, state.todo], [17, 0]);
  stop.abort();
  await all;
});

Deno.test("everybody goes home when the watch is told to", async () => {
  const { stop, all } = workers(16);
  await Promise.resolve();
  stop.abort();
  assertEquals((await all).length, 16);
});
