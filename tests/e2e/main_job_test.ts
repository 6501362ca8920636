/**
 * The main job on the embedded default, from outside: send, handle, dead-letter, replay, kill, restart,
 * drain.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { Installation, sampleOrders } from "./server.ts";

/** Orders of the sample that cannot succeed: seven above the credit limit, three placed already. */
const HOPELESS = 10;
const PLACED = 1000 - HOPELESS;

function state(installation: Installation) {
  const database = new DatabaseSync(installation.database, { readOnly: true });
  const count = (sql: string) => Number(database.prepare(sql).get()?.["n"]);
  try {
    return {
      orders: count("select count(*) n from protean_my_domain_order"),
      summaries: count("select count(*) n from protean_my_domain_view_order_summary"),
      eventsCounted: count(
        "select sum(json_extract(state, '$.events')) n from protean_my_domain_view_order_summary",
      ),
      picking: count("select count(*) n from protean_my_domain_view_picking_list"),
      audited: count("select count(*) n from protean_my_domain_view_audit_entry"),
      placedEvents: count("select count(*) n from protean_outbox where type = 'MyDomain.OrderPlaced.v1'"),
      unpublished: count("select count(*) n from protean_outbox where status <> 'published'"),
    };
  } finally {
    database.close();
  }
}

const finalState = {
  orders: PLACED,
  summaries: PLACED,
  eventsCounted: PLACED,
  picking: PLACED,
  audited: PLACED,
  placedEvents: PLACED,
  unpublished: 0,
};

async function deadLetters(installation: Installation): Promise<{ dlq_id: string; message_id: string }[]> {
  const listed = await installation.command(["dlq", "list", "--json"]);
  assertEquals(listed.code, 0, listed.err);
  const envelope = JSON.parse(listed.out);
  return envelope.data.messages;
}

Deno.test("a thousand orders sent from the command line are handled, and what cannot succeed is dead-lettered", async () => {
  await using installation = await Installation.create();
  const server = await installation.start();
  const sent = await installation.command(["send", "PlaceOrder", "--file", sampleOrders]);
  assertEquals(sent.code, 0, sent.err);
  await server.quiet();
  assertEquals(state(installation), finalState);
  const letters = await deadLetters(installation);
  assertEquals(letters.length, HOPELESS);
  const inspected = await installation.command(["dlq", "inspect", letters[0]?.dlq_id ?? ""]);
  assertEquals(inspected.code, 0, inspected.err);
  assertStringIncludes(inspected.out, "PlaceOrder");
  assertEquals((await server.probe("/livez")).body, { status: "ok", checks: { event_loop: "responsive" } });
  assertEquals(await server.end("SIGTERM"), 0, await server.log());
});

Deno.test("kill -9 in the middle of the thousand orders and a restart lose none and double no effect", async () => {
  await using installation = await Installation.create();
  const sent = await installation.command(["send", "PlaceOrder", "--file", sampleOrders]);
  assertEquals(sent.code, 0, sent.err);
  for (let kill = 0; kill < 3; kill++) {
    const server = await installation.launch();
    await someHandled(installation, 100 + kill * 250);
    await server.end("SIGKILL");
  }
  assert(state(installation).orders < PLACED, "the server was killed too late to prove anything");
  const server = await installation.start();
  await server.quiet();
  assertEquals(state(installation), finalState);
  // What is being published at a kill is published again: a copy of what cannot succeed is a letter as well.
  const hopeless = new Set((await deadLetters(installation)).map(({ message_id }) => message_id));
  assertEquals(hopeless.size, HOPELESS);
  assertEquals(await server.end("SIGTERM"), 0);
});

/** Resolves when the database holds `n` orders. */
async function someHandled(installation: Installation, n: number): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (performance.now() < deadline) {
    try {
      if (state(installation).orders >= n) return;
    } catch {
      // The tables are not there yet, or the file is being written.
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`no ${n} orders within half a minute`);
}

Deno.test("a dead letter is replayed to its group, fails again and comes back with its replay counted", async () => {
  await using installation = await Installation.create();
  const server = await installation.start();
  const sent = await installation.command(["send", "PlaceOrder", "--data", '{"orderId":"x","amount":50000}']);
  assertEquals(sent.code, 0, sent.err);
  await server.quiet();
  const [letter] = await deadLetters(installation);
  assert(letter);
  const replayed = await installation.command(["dlq", "replay", letter.dlq_id]);
  assertEquals(replayed.code, 0, replayed.err);
  assertEquals((await deadLetters(installation)).length, 0);
  let again: { dlq_id: string; replay_count?: number }[] = [];
  const deadline = performance.now() + 30_000;
  while (again.length === 0 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    again = await deadLetters(installation);
  }
  assertEquals(again.length, 1);
  assertEquals(again[0]?.replay_count, 1);
  assertEquals(await server.end("SIGTERM"), 0);
});

Deno.test("SIGTERM under load drains: exit 0, and the next server goes on where it stopped", async () => {
  await using installation = await Installation.create();
  const first = await installation.start();
  const sent = await installation.command(["send", "PlaceOrder", "--file", sampleOrders]);
  assertEquals(sent.code, 0, sent.err);
  assertEquals(await first.end("SIGTERM"), 0, await first.log());
  const second = await installation.start(["--once"]);
  await second.finished();
  assertEquals((await second.child.status).code, 0);
  assertEquals(state(installation), finalState);
});

Deno.test("--once works off everything available and exits 0", async () => {
  await using installation = await Installation.create();
  const sent = await installation.command(["send", "PlaceOrder", "--file", sampleOrders]);
  assertEquals(sent.code, 0, sent.err);
  const server = await installation.launch(["--once"]);
  await server.finished();
  assertEquals((await server.child.status).code, 0, await server.log());
  assertEquals(state(installation), finalState);
});
