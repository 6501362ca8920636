/**
 * F21: messages that break their handler, their decoder or their process end as dead letters, and the others
 * are handled.
 */
import { assertEquals } from "@std/assert";
import { SqliteBroker } from "../../lib/adapters/sqlite/broker.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { CATEGORY, type Task, Tasks } from "./tasks.ts";

const sound = (...ids: string[]): Task[] => ids.map((id) => ({ id, does: "nothing" }));

/** Puts entries on the stream as they are, as a foreign writer may. */
async function append(tasks: Tasks, ...texts: string[]): Promise<void> {
  const { folder } = tasks.installation;
  const broker = new SqliteBroker({
    name: "default",
    domain: "tasks",
    settings: {},
    folder,
    clock: systemClock,
  });
  await broker.open();
  try {
    await broker.publish(texts.map((data) => ({ stream: CATEGORY, data })));
  } finally {
    await broker.close();
  }
}

/** A message that can be read, of a type that nobody has declared. */
const unknown = JSON.stringify({
  data: {},
  metadata: {
    headers: { id: "x", type: "Tasks.Unheard.v1", stream: `${CATEGORY}-x` },
    domain: { kind: "EVENT" },
  },
});

/** By the text that their error begins with: attempts. */
function attempts(letters: Awaited<ReturnType<Tasks["deadLetters"]>>, ...beginnings: string[]) {
  return beginnings.map((beginning) => [
    beginning,
    ...letters.filter(({ error_message }) => error_message.startsWith(beginning))
      .map(({ retry_count }) => retry_count),
  ]);
}

Deno.test("F21: what fails is tried as often as configured, what cannot be read once, and the rest is handled", async () => {
  await using tasks = await Tasks.create();
  await tasks.give([{ id: "bad", does: "fail" }, ...sound("a", "b")]);
  await append(tasks, "{ this is no JSON", "[]", unknown);
  await tasks.give(sound("c"));
  assertEquals(await tasks.once(), 0);
  const letters = await tasks.deadLetters();
  assertEquals(letters.length, 4);
  assertEquals(
    attempts(letters, "bad fails", "The text is not JSON", "The message is no", "'Tasks.Unheard.v1'"),
    [
      ["bad fails", 3],
      ["The text is not JSON", 1],
      ["The message is no", 1],
      ["'Tasks.Unheard.v1'", 1],
    ],
  );
  assertEquals((await tasks.started()).filter((id) => id === "bad").length, 3);
  assertEquals((await tasks.ended()).sort(), ["a", "b", "c"]);
});

for (
  const [does, what, killed] of [
    ["die", "kills its process", false],
    // Until somebody outside looks at the silent probes and kills it, as a kubelet does.
    ["spin", "never lets go of its process", true],
  ] as const
) {
  Deno.test(`F21: a message that ${what} costs as many processes as configured, and no neighbour`, async () => {
    await using tasks = await Tasks.create();
    await tasks.give([...sound("a"), { id: "deadly", does }, ...sound("b", "c")]);
    const deadly = async () => (await tasks.started()).filter((id) => id === "deadly").length;
    for (let process = 1; process <= 2; process++) {
      const server = await tasks.installation.launch();
      if (killed) {
        await server.until(async () => await deadly() === process, "the message to be started");
        server.child.kill("SIGKILL");
      }
      await server.finished();
      assertEquals((await server.child.status).code, killed ? 137 : 9, await server.log());
    }
    assertEquals(await tasks.once(), 0);
    assertEquals(await deadly(), 2);
    const letters = await tasks.deadLetters();
    assertEquals(letters.length, 1);
    assertEquals(attempts(letters, "The message was started 2 times"), [[
      "The message was started 2 times",
      2,
    ]]);
    assertEquals([...new Set(await tasks.ended())].sort(), ["a", "b", "c"]);
  });
}
