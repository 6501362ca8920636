/** `operations`, `audit`, `--detach` and `subscriptions replay`, as the command line has them. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ShopFolder } from "./shop.ts";
import { auditOf, talkOf } from "./support.ts";

const ID = /^[0-9a-f-]{36}\n$/;

async function withDeadLetters(count = 3): Promise<ShopFolder> {
  const shop = await ShopFolder.create();
  const lines = Array.from({ length: count }, (_, n) => `{"orderId":"o-${n}","amount":-${n + 1}}\n`).join("");
  await shop.write("orders.jsonl", lines);
  await shop.run(["send", "PlaceOrder", "--file", "orders.jsonl"]);
  assertEquals((await shop.run(["server", "--once"])).code, 0);
  return shop;
}

async function json(shop: ShopFolder, ...args: string[]) {
  const { code, stdout, stderr } = await shop.run([...args, "--json"]);
  assert(stdout, stderr);
  return { code, ...JSON.parse(stdout) };
}

Deno.test("what was done is listed and shown, with who did it and why", async () => {
  await using shop = await withDeadLetters();
  assertEquals((await shop.run(["operations", "list"])).stdout, "No operations found.\n");
  await shop.run(["dlq", "discard", "--type", "PlaceOrder", "--yes", "--by", "ann", "--reason", "tests"]);
  const { data } = await json(shop, "operations", "list");
  const [operation] = data.operations;
  assertEquals(
    [
      data.count,
      operation.kind,
      operation.state,
      operation.total,
      operation.done,
      operation.by,
      operation.reason,
    ],
    [1, "discard", "done", 3, 3, "ann", "tests"],
  );
  assertEquals(operation.filter, { type: "PlaceOrder" });
  const table = await shop.run(["operations", "list"]);
  assertMatch(table.stdout, /^ID +Kind +State +Done +Failed +By +Created +Filter\n/);
  assertMatch(table.stdout, /discard +done +3\/3 +0 +ann .* type=PlaceOrder\n/);
  const shown = await shop.run(["operations", "show", operation.id]);
  for (const line of ["State: done", "Filter: type=PlaceOrder", "By: ann", "Total: 3", "Done: 3"]) {
    assertStringIncludes(shown.stdout, `${line}\n`);
  }
  assertEquals((await json(shop, "operations", "show", operation.id)).data, operation);
});

Deno.test("--detach prints an id; the operation is paused, resumed, cancelled, or done by a server", async () => {
  await using shop = await withDeadLetters();
  const left = await shop.run(["dlq", "discard", "--all", "--yes", "--detach"]);
  assertEquals([left.code, ID.test(left.stdout)], [0, true], left.stderr);
  assertStringIncludes(left.stderr, "A running server of this domain does it");
  const id = left.stdout.trim();
  const twice = await shop.run(["dlq", "discard", "--all", "--yes", "--detach"]);
  assertEquals([twice.code, twice.stdout], [1, ""]);
  assertStringIncludes(twice.stderr, `An operation that is alike is not over yet: '${id}'.`);

  const paused = await shop.run(["operations", "pause", id, "--by", "bob"]);
  assertEquals([paused.code, paused.stdout], [0, `Paused the operation '${id}'.\n`]);
  const [noted] = auditOf(paused.stderr);
  assertEquals([noted?.["what"], noted?.["who"], noted?.["operation"]], ["operations.pause", "bob", id]);
  await shop.run(["server", "--once"]);
  assertEquals((await json(shop, "operations", "show", id)).data.done, 0, "a server leaves it alone");
  const resumed = await shop.run(["operations", "resume", id]);
  assertEquals(
    [resumed.code, resumed.stdout, talkOf(resumed.stderr)],
    [0, "The operation is done: 3 message(s) discarded.\n", ""],
  );

  const { data } = await json(shop, "dlq", "restore", "--all", "--yes", "--detach");
  assertEquals([data.state, data.total], ["planned", 3]);
  const cancelled = await shop.run(["operations", "cancel", data.operation]);
  assertEquals([cancelled.code, cancelled.stdout], [0, `Cancelled the operation '${data.operation}'.\n`]);
  const shown = (await json(shop, "operations", "show", data.operation)).data;
  assertEquals([shown.state, shown.done, typeof shown.ended], ["cancelled", 0, "string"]);

  await shop.run(["dlq", "restore", "--all", "--yes", "--detach"]);
  await shop.run(["server", "--once"]);
  const [last] = (await json(shop, "operations", "list")).data.operations;
  assertEquals([last.kind, last.state, last.done], ["restore", "done", 3]);
});

for (
  const [args, code, message] of [
    [["show", "none"], 1, "There is no operation 'none'"],
    [["pause", "none"], 1, "There is no operation 'none'"],
    [["resume", "none"], 1, "There is no operation 'none'"],
    [["cancel", "none"], 1, "There is no operation 'none'"],
    [["cancel", ""], 2, "must not be empty"],
    [["resume"], 2, "Missing required argument 'id'"],
    [["list", "--limit", "0"], 2, "whole number above 0"],
  ] as const
) {
  Deno.test(`operations ${args.join(" ")} is exit ${code}`, async () => {
    await using shop = await ShopFolder.create();
    const ran = await shop.run(["operations", ...args]);
    assertEquals([ran.code, ran.stdout], [code, ""]);
    assertStringIncludes(ran.stderr, message);
  });
}

Deno.test("what a letter says of itself does not reach the terminal through operations resume", async () => {
  await using shop = await withDeadLetters(0);
  const facts = { original_stream: "shop::order", consumer_group: "red \u001b[31m group" };
  const data = JSON.stringify({ data: {}, metadata: {}, _dlq_metadata: facts });
  await shop.write("one.jsonl", JSON.stringify({ dlq_stream: "shop::order:dlq", broker: "default", data }));
  assertEquals((await shop.run(["dlq", "import", "one.jsonl"])).code, 0);
  const { stdout } = await shop.run(["dlq", "replay-all", "--all", "--canary", "1", "--yes", "--detach"]);
  const { code, stderr } = await shop.run(["operations", "resume", stdout.trim()]);
  assertEquals(code, 1);
  assertStringIncludes(talkOf(stderr), "of another program");
  assertEquals(talkOf(stderr).includes("\u001b"), false);
});

Deno.test("an operation that is over is neither paused nor resumed nor cancelled", async () => {
  await using shop = await withDeadLetters(1);
  await shop.run(["dlq", "purge", "--all", "--yes"]);
  const [{ id }] = (await json(shop, "operations", "list")).data.operations;
  for (const verb of ["pause", "resume", "cancel"]) {
    const ran = await shop.run(["operations", verb, id]);
    assertEquals([ran.code, ran.stdout], [1, ""]);
    assertStringIncludes(ran.stderr, "is done: nothing of it is left to do");
    assertEquals(auditOf(ran.stderr)[0]?.["outcome"], "refused");
  }
});

Deno.test("--detach does not go with --export", async () => {
  await using shop = await ShopFolder.create();
  const ran = await shop.run(["dlq", "purge", "--all", "--yes", "--detach", "--export", "letters.jsonl"]);
  assertEquals([ran.code, ran.stdout], [2, ""]);
  assertStringIncludes(ran.stderr, "no server writes a file for you");
});

Deno.test("audit list tells what was changed and what was refused, whoever did it", async () => {
  await using shop = await withDeadLetters(1);
  const env = { PROTEAN_USER: "carl" };
  await shop.run(["dlq", "purge", "--all", "--yes", "--reason", "over"], { env });
  await shop.run(["outbox", "requeue", "4711", "--by", "dora"], { env });
  await shop.run(["subscriptions", "drop-group", "shop::order", "shop.Nobody", "--yes"], { env });
  await shop.run([
    "subscriptions",
    "partitions",
    "--subscription",
    "OrderEventHandler",
    "--skip",
    "k",
    "--yes",
  ], {
    env,
  });
  await shop.run(["db", "truncate", "--yes"], { env });
  await shop.run(["dlq", "replay", "9-9"], { env });
  const { data } = await json(shop, "audit", "list");
  assertEquals(
    data.entries.map(({ who, what, outcome, count }: Record<string, unknown>) => [who, what, outcome, count]),
    [
      ["carl", "dlq.replay", "refused", undefined],
      ["carl", "db.truncate", "done", undefined],
      ["carl", "partitions.skip", "refused", undefined],
      ["carl", "subscriptions.drop-group", "refused", undefined],
      ["dora", "outbox.requeue", "done", 0],
      ["carl", "dlq.purge", "done", 1],
    ],
  );
  const { stdout } = await shop.run(["audit", "list", "--limit", "1"]);
  assertMatch(stdout, /^At +Who +From +What +Outcome +Count +Filter +Reason\n.*carl.*dlq\.replay +refused/);
  assertStringIncludes(stdout, "\n1 change(s) found.\n");
});

Deno.test("subscriptions replay gives a handler a window once more", async () => {
  await using shop = await ShopFolder.create();
  for (const n of [1, 2]) {
    await shop.run(["send", "PlaceOrder", "--data", `{"orderId":"o-${n}","amount":${n}}`]);
  }
  await shop.run(["server", "--once"]);
  assertEquals(shop.handled, ["o-1", "o-2"]);
  const span = ["--from", "1h", "--to", "2999-01-01"];
  const replay = (...more: string[]) =>
    shop.run(["subscriptions", "replay", "OrderEventHandler", ...span, ...more]);
  const kept = await replay();
  assertEquals([kept.code, kept.stdout], [1, ""]);
  assertStringIncludes(kept.stderr, "--marks ignore");
  assertEquals(
    (await replay("--marks", "ignore", "--dry-run")).stdout,
    "Would send 2 message(s) to OrderEventHandler.\n",
  );
  assertEquals((await replay("--marks", "ignore")).stdout, "Sent 2 message(s) to OrderEventHandler.\n");
  await shop.run(["server", "--once"]);
  assertEquals(shop.handled.toSorted(), ["o-1", "o-1", "o-2", "o-2"]);
  assertEquals(
    (await replay("--marks", "ignore", "--key", "o-2", "--type", "OrderPlaced", "--json")).code,
    0,
  );
  await shop.run(["server", "--once"]);
  assertEquals(shop.handled.at(-1), "o-2");
  // A command handler is idempotent: what it has done it recognises.
  const commands = await shop.run(["subscriptions", "replay", "OrderCommandHandler", ...span]);
  assertEquals([commands.code, commands.stdout], [0, "Sent 2 message(s) to OrderCommandHandler.\n"]);
  await shop.run(["server", "--once"]);
  assertEquals([shop.handled.length, (await json(shop, "dlq", "list")).data.count], [5, 0]);
});

for (
  const [args, code, message] of [
    [["OrderEventHandlr", "--from", "2h", "--to", "1h"], 1, "Did you mean 'OrderEventHandler'?"],
    [["OrderEventHandler", "--from", "1h", "--to", "2h"], 2, "must be before --to"],
    [["OrderEventHandler", "--from", "soon", "--to", "1h"], 2, "It is no time"],
    [["OrderEventHandler", "--from", "1h"], 2, "--to"],
    [
      ["OrderEventHandler", "--from", "2h", "--to", "1h", "--marks", "all"],
      2,
      "Allowed choices are keep, ignore",
    ],
    [["OrderEventHandler", "--from", "2h", "--to", "1h", "--rate", "-1"], 2, "number above 0"],
  ] as const
) {
  Deno.test(`subscriptions replay ${args.join(" ")} is exit ${code}`, async () => {
    await using shop = await ShopFolder.create();
    const ran = await shop.run(["subscriptions", "replay", ...args]);
    assertEquals([ran.code, ran.stdout], [code, ""]);
    assertStringIncludes(ran.stderr.toLowerCase(), message.toLowerCase());
  });
}
