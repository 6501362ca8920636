import { assertEquals, assertStringIncludes } from "@std/assert";
import { Tasks } from "./tasks.ts";

const CONFIG = '[server]\nmax_message_bytes = "${MOST|2000000}"\n';

Deno.test("rows in the outbox are published whatever their size; what is sent is refused by name and size", async () => {
  await using tasks = await Tasks.create(CONFIG);
  const { installation } = tasks;
  const large = JSON.stringify({ id: "large", does: "nothing", pad: "x".repeat(1_500_000) });
  const send = (env: Record<string, string>) =>
    installation.command(["send", "TaskGiven", "-"], { input: large, env });
  const refused = await send({ MOST: "1048576" });
  assertEquals(refused.code, 1);
  // What the standing check plants counts as well.
  for (const text of ["TaskGiven", "has 15000", "1048576"]) assertStringIncludes(refused.err, text);
  const { code, err } = await send({});
  assertEquals(code, 0, err);
  await Deno.writeTextFile(
    installation.config,
    (await Deno.readTextFile(installation.config)).replace(CONFIG, "[server]\nmax_message_bytes = 1000\n"),
  );
  assertEquals(await tasks.once(), 0);
  assertEquals(await tasks.ended(), ["large"]);
});
