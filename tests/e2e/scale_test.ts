/** `GET /scale`, heartbeats, and an autoscaler that obeys it (operations 1 and 9). */
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { freePort } from "../support/free_port.ts";
import { pause } from "../support/until.ts";
import type { RunningServer } from "./server.ts";
import { Tasks } from "./tasks.ts";

async function work(server: RunningServer): Promise<Record<string, unknown>> {
  const { status, body } = await server.probe("/scale");
  assertEquals(status, 200, JSON.stringify(body));
  return body;
}

/** What the workers on a file have told of themselves. */
function announced(folder: string): Record<string, string>[] {
  using db = new DatabaseSync(`${folder}/tasks-streams.db`, { readOnly: true });
  return db.prepare("SELECT fields FROM protean_worker").all().map(({ fields }) =>
    JSON.parse(String(fields))
  );
}

for (const args of [[], ["--workers=2"]]) {
  Deno.test(`/scale tells all work there is, and every worker is known to the others (${args[0] ?? "alone"})`, async () => {
    await using tasks = await Tasks.create('[server]\nrelease = "r1"');
    const server = await tasks.start(args);
    await server.until(async () => {
      const { status, body } = await server.probe("/scale");
      return status === 200 && (body["unknown"] as string[]).length === 0;
    }, "a first number");
    assertEquals(await work(server), {
      ...{ work: 0, lag: 0, pending: 0, retrying: 0, held: 0, parked: 0, outbox: 0, oldest_age_seconds: 0 },
      ...{ unknown: [], subscriptions: { "tasks.Worker": { lag: 0, pending: 0, retrying: 0 } } },
    }, JSON.stringify(await work(server)));
    await tasks.give(Array.from({ length: 60 }, (_, at) => ({ id: `t${at}`, does: "heed" as const })));
    await server.until(async () => {
      const { lag, pending, outbox } = await work(server);
      return Number(lag) + Number(pending) === 60 && outbox === 0;
    }, "the tasks to be counted");
    const found = await work(server);
    assertEquals(found["work"], 60);
    assert(Number(found["oldest_age_seconds"]) > 0);
    const count = args.length > 0 ? 2 : 1;
    await server.until(() => announced(tasks.installation.folder).length === count, "the heartbeats");
    for (const fields of announced(tasks.installation.folder)) {
      assertEquals([fields["release"], fields["domain"]], ["r1", "tasks"]);
      assertEquals(JSON.parse(fields["handles"] ?? ""), { "tasks.Worker": ["Tasks.TaskGiven.v1"] });
      assertEquals(Object.keys(JSON.parse(fields["subscriptions"] ?? "")), ["Worker on tasks::task"]);
    }
    assertEquals(await server.end("SIGTERM"), 0, await server.log());
    assertEquals(announced(tasks.installation.folder), [], "a clean stop leaves somebody there");
  });
}

/** What KEDA asks of the Horizontal Pod Autoscaler, and that one's formula. */
const TARGET = 40;
const MOST = 4;
/** 15 s and 300 s on a clock that is thirty times as fast. */
const EVERY_MS = 500;
const STABLE_MS = 10_000;

Deno.test("an autoscaler that obeys /scale goes from 1 to 4 and back to 1: nothing lost, nothing twice, no reversal", async () => {
  await using tasks = await Tasks.create();
  const ids = Array.from({ length: 700 }, (_, index) => `t${index}`);
  await tasks.give(ids.map((id) => ({ id, does: "wait" })));
  const servers = [await tasks.start()];
  const counts = [1];
  const wanted: { readonly at: number; readonly replicas: number }[] = [];
  let isBusy = true;
  const end = performance.now() + 150_000;
  while (isBusy || servers.length > 1) {
    assert(performance.now() < end, `${counts} replicas, ${(await tasks.ended()).length} tasks done`);
    await pause(EVERY_MS);
    const { status, body } = await servers[0]?.probe("/scale") ?? { status: 0, body: {} };
    if (status !== 200) continue;
    const now = performance.now();
    const replicas = Math.min(MOST, Math.max(1, Math.ceil(Number(body["work"]) / TARGET)));
    wanted.push({ at: now, replicas });
    // Scaling down waits until nobody has wanted more for a while.
    const stable = Math.max(...wanted.filter(({ at }) => now - at <= STABLE_MS).map((each) => each.replicas));
    const target = replicas > servers.length ? replicas : Math.min(servers.length, stable);
    while (servers.length < target) {
      servers.push(await tasks.installation.launch([], freePort()));
    }
    while (servers.length > target) {
      assertEquals(await servers.pop()?.end("SIGTERM"), 0);
    }
    if (counts.at(-1) !== servers.length) counts.push(servers.length);
    isBusy = body["work"] !== 0;
  }
  assertEquals(Math.max(...counts), MOST, `${counts}`);
  const directions = counts.slice(1).map((count, at) => Math.sign(count - (counts[at] ?? 0)));
  const reversals = directions.filter((direction, at) => at > 0 && direction !== directions[at - 1]).length;
  assertLessOrEqual(reversals, 1, `${counts}`);
  assertEquals((await tasks.ended()).sort(), ids.sort(), "a task was lost or done twice");
  assertEquals(await servers[0]?.end("SIGTERM"), 0);
});
