import { assertEquals, assertRejects } from "@std/assert";
import { Wakeup } from "../../../lib/async/wakeup.ts";
import { Crew } from "../../../lib/subscription/crew.ts";

/** Workers that take what there is; `looks` counts how often one of them looked. */
function workers(most: number) {
  const [changed, stop] = [new Wakeup(), new AbortController()];
  const state = { todo: 0, done: 0, looks: 0, hired: 0 };
  const crew: Crew = new Crew(most, async () => {
    state.hired++;
    while (!stop.signal.aborted) {
      state.looks++;
      if (state.todo === 0) await crew.wait(changed, stop.signal);
      else if (state.todo < 0) throw new Error("a defect");
      else {
        state.todo--;
        crew.relieve();
        await Promise.resolve();
        state.done++;
      }
    }
  });
  crew.begin();
  const add = async (more: number) => {
    state.todo += more;
    changed.notify();
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  };
  return { state, add, stop, crew };
}

Deno.test("workers are hired as there is work for more at once, and no more than are wanted", async () => {
  const { state, add, stop, crew } = workers(4);
  assertEquals(state.hired, 1);
  await add(1);
  assertEquals([state.hired, state.done], [2, 1]);
  for (const more of [4, 3, 9, 1]) await add(more);
  assertEquals([state.hired, state.done, state.todo], [4, 18, 0]);
  stop.abort();
  await Promise.all([crew.home, crew.sound]);
});

Deno.test("a message wakes a few workers, however many sleep", async () => {
  const { state, add, stop, crew } = workers(16);
  await add(40);
  assertEquals(state.hired, 16);
  const before = state.looks;
  await add(1);
  assertEquals([state.done, state.looks - before <= 3], [41, true]);
  stop.abort();
  await crew.home;
});

Deno.test("a defect of one is told at once, and the others go home when they are told to", async () => {
  const { add, stop, crew } = workers(4);
  const told = assertRejects(() => crew.sound, Error, "a defect");
  await add(8);
  await add(-1);
  await told;
  stop.abort();
  await crew.home;
});
