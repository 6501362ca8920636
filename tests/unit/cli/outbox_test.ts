import { DatabaseSync } from "node:sqlite";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ShopFolder } from "./shop.ts";

/** A folder with two committed commands that nobody has published. */
async function withPending() {
  const shop = await ShopFolder.create();
  for (const id of ["o-1", "o-2"]) {
    await shop.run(["send", "PlaceOrder", "--data", JSON.stringify({ orderId: id, amount: 1 })]);
  }
  return shop;
}

Deno.test("stats count the rows by status, with the age of the oldest", async () => {
  await using shop = await withPending();
  const { code, stdout } = await shop.run(["outbox", "stats", "--json"]);
  assertEquals(code, 0);
  const { status, data: { databases: [row] } } = JSON.parse(stdout);
  assertEquals([status, row.database, row.pending, row.published, row.abandoned], [
    "pass",
    "default",
    2,
    0,
    0,
  ]);
  assertEquals(Number.isInteger(row.oldest_age_seconds), true);
  await shop.run(["server", "--once"]);
  const later = JSON.parse((await shop.run(["outbox", "stats", "--json"])).stdout).data.databases[0];
  assertEquals([later.pending, later.published, later.oldest_age_seconds], [0, 4, null]);
  assertMatch(
    (await shop.run(["outbox", "stats"])).stdout,
    /^Database +Pending +Processing .*\ndefault +0 +0 +4/,
  );
});

Deno.test("list shows rows, those of one status, the oldest first and at most --limit", async () => {
  await using shop = await withPending();
  const { data } = JSON.parse((await shop.run(["outbox", "list", "--json"])).stdout);
  assertEquals(data.count, 2);
  assertEquals(data.rows.map((row: { stream_name: string }) => row.stream_name.slice(-3)), ["o-1", "o-2"]);
  assertEquals([data.rows[0].status, data.rows[0].type, data.rows[0].last_error], [
    "pending",
    "Shop.PlaceOrder.v1",
    null,
  ]);
  assertMatch((await shop.run(["outbox", "list", "--limit", "1"])).stdout, /\n1 outbox row\(s\) found\.\n$/);
  assertEquals(
    (await shop.run(["outbox", "list", "--status", "abandoned"])).stdout,
    "No outbox rows found.\n",
  );
});

Deno.test("requeue brings back what was given up, and says which ids it did not find", async () => {
  await using shop = await withPending();
  const { data } = JSON.parse((await shop.run(["outbox", "list", "--json"])).stdout);
  const missing = await shop.run(["outbox", "requeue", data.rows[0].id]);
  assertEquals([missing.code, missing.stdout], [1, "Requeued 0 outbox row(s).\n"]);
  assertStringIncludes(missing.stderr, "1 of 1 rows were neither abandoned nor failed");
  const all = await shop.run(["outbox", "requeue", "--all", "--yes", "--json"]);
  assertEquals([all.code, JSON.parse(all.stdout).data], [0, { requeued: 0 }]);
});

Deno.test("requeue without rows, with ids and --all at once, or with nobody to ask is exit 2", async () => {
  await using shop = await withPending();
  for (const args of [[], ["1", "--all", "--yes"], ["--all"]]) {
    const { code, stderr } = await shop.run(["outbox", "requeue", ...args]);
    assertEquals(code, 2, stderr);
  }
});

Deno.test("what was given up is published after all, and handled", async () => {
  await using shop = await withPending();
  const database = new DatabaseSync(`${shop.folder}/shop.db`);
  database.exec("update protean_outbox set status = 'abandoned', last_error = '{\"message\":\"refused\"}'");
  database.close();
  const [row] =
    JSON.parse((await shop.run(["outbox", "list", "--status", "abandoned", "--json"])).stdout).data.rows;
  assertEquals(row.last_error, "refused");
  assertEquals((await shop.run(["outbox", "requeue", row.id])).stdout, "Requeued 1 outbox row(s).\n");
  assertEquals(
    (await shop.run(["outbox", "requeue", "--all", "--yes"])).stdout,
    "Requeued 1 outbox row(s).\n",
  );
  await shop.run(["server", "--once"]);
  assertEquals(shop.handled, ["o-1", "o-2"]);
});

Deno.test("requeue takes numbers alone, and says which text is none", async () => {
  await using shop = await ShopFolder.create();
  for (const id of ["x", "1.5", "", "1e3", "0x10"]) {
    const { code, stderr } = await shop.run(["outbox", "requeue", id]);
    assertEquals([code, stderr.trim().split("\n").length], [2, 1], stderr);
    assertStringIncludes(stderr, `'${id}' is no id of an outbox row`);
  }
});

Deno.test("reconcile gives an event that only the store has its row, once, and says how many", async () => {
  await using shop = await withPending();
  await shop.run(["server", "--once"]);
  const nothing = await shop.run(["outbox", "reconcile"]);
  assertEquals([nothing.code, nothing.stdout], [
    0,
    "Nothing to reconcile: no event in the scanned window is missing its outbox row.\n",
  ]);
  const database = new DatabaseSync(`${shop.folder}/shop.db`);
  const { changes } = database.prepare(
    "delete from protean_outbox where id = (select max(id) from protean_outbox where type = 'Shop.OrderPlaced.v1')",
  ).run();
  database.close();
  assertEquals(Number(changes), 1);
  assertEquals(
    (await shop.run(["outbox", "reconcile"])).stdout,
    "Reconciled 1 outbox row(s) from the event store.\n",
  );
  const again = await shop.run(["outbox", "reconcile", "--limit", "5", "--json"]);
  assertEquals(JSON.parse(again.stdout).data, { reconciled: 0 });
  assertEquals((await shop.run(["outbox", "reconcile", "--limit", "0"])).code, 2);
});
