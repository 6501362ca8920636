/** `dlq replay-all` that is stopped from outside, and gone on with (DLQ-5). */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { until } from "../support/until.ts";
import { program } from "./server.ts";
import { CATEGORY, Tasks } from "./tasks.ts";

interface Listed {
  readonly dlq_id: string;
  readonly replay_count: number;
}

async function letters(tasks: Tasks): Promise<readonly Listed[]> {
  const { out, err } = await tasks.installation.command(["dlq", "list", "--json"]);
  assert(out, err);
  return JSON.parse(out).data.messages;
}

Deno.test({
  name: "Ctrl-C pauses replay-all between two letters, says how far it came, and the rest can be replayed",
  // Windows cannot send a process of its own making what Ctrl-C is.
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using tasks = await Tasks.create("[server.stream_subscription]\nmax_retries = 1\n");
    await tasks.give(Array.from({ length: 20 }, (_, n) => ({ id: `t${n}`, does: "fail" })));
    assertEquals(await tasks.once(), 0);
    assertEquals((await letters(tasks)).length, 20);

    const { config, folder } = tasks.installation;
    const domain = new URL("domains/tasks.js", import.meta.url).pathname;
    const [command = "", ...before] = program();
    const child = new Deno.Command(command, {
      args: [
        ...[...before, "dlq", "replay-all", "--subscription", CATEGORY, "--rate", "2", "--yes"],
        ...[`--domain=${domain}`, `--config=${config}`],
      ],
      ...{ cwd: folder, env: { NO_COLOR: "1" }, stdin: "null", stdout: "piped", stderr: "piped" },
    }).spawn();
    await until(async () => (await letters(tasks)).length < 18, "some of them to be replayed");
    child.kill("SIGINT");
    const { code, stdout, stderr } = await child.output();
    const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    assertEquals(code, 1, err);
    const left = (await letters(tasks)).length;
    assert(left > 0, "it was over before it was stopped");
    assertEquals(out, `Replayed ${20 - left} message(s) to stream '${CATEGORY}'.\n`);
    assertStringIncludes(err ?? "", `Stopped: ${20 - left} of 20 message(s) were replayed.`);
    const resume = /Go on with: protean-server operations resume (.*)\n/.exec(err ?? "")?.[1]?.split(" ") ??
      [];
    const id = resume.at(-1) ?? "";
    const shown = await tasks.installation.command(["operations", "show", id, "--json"]);
    const { state, total, done, ended } = JSON.parse(shown.out).data;
    assertEquals({ state, total, done, ended }, { state: "paused", total: 20, done: 20 - left, ended: null });

    // What has failed again since lies behind what the operation means.
    assertEquals(await tasks.once(), 0);
    assertEquals((await letters(tasks)).length, 20);
    const alike = await tasks.installation.command([
      "dlq",
      "replay-all",
      "--subscription",
      CATEGORY,
      "--yes",
    ]);
    assertEquals(alike.code, 1);
    assertStringIncludes(alike.err, id);
    const rest = await tasks.installation.command(["operations", "resume", id]);
    assertEquals(rest.out, "The operation is done: 20 message(s) replayed.\n", rest.err);
    assertEquals(await tasks.once(), 0);
    const counts = (await letters(tasks)).map(({ replay_count }) => replay_count);
    assertEquals(counts, Array(20).fill(1));
  },
});
