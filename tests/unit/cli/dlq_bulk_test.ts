/** `dlq` with filters, and what it does to many letters at once. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { ShopFolder } from "./shop.ts";
import { auditOf } from "./support.ts";

const COMMANDS = "shop::order:command";

/** A folder in which `count` commands have been dead-lettered. */
async function withDeadLetters(count = 3): Promise<ShopFolder> {
  const shop = await ShopFolder.create();
  const lines = Array.from({ length: count }, (_, n) => `{"orderId":"o-${n}","amount":-${n + 1}}\n`).join("");
  await shop.write("orders.jsonl", lines);
  await shop.run(["send", "PlaceOrder", "--file", "orders.jsonl"]);
  const { code, stderr } = await shop.run(["server", "--once"]);
  assertEquals(code, 0, stderr);
  return shop;
}

async function ids(shop: ShopFolder, ...args: string[]): Promise<string[]> {
  const { stdout, stderr } = await shop.run(["dlq", "list", ...args, "--json"]);
  assert(stdout, stderr);
  return JSON.parse(stdout).data.messages.map(({ dlq_id }: { dlq_id: string }) => dlq_id);
}

Deno.test("list takes every filter, together", async () => {
  await using shop = await withDeadLetters();
  for (
    const [args, count] of [
      [["--type", "PlaceOrder"], 3],
      [["--type", "Shop.PlaceOrder.v1"], 3],
      [["--type", "OrderPlaced"], 0],
      [["--error", "RangeError"], 3],
      [["--error", "Error"], 0],
      [["--since", "1h"], 3],
      [["--until", "1h"], 0],
      [["--until", "2999-01-01"], 3],
      [["--since", "2026-01-01T00:00:00+02:00", "--until", "2999-01-01T00:00:00Z"], 3],
      [["--handler", "OrderCommandHandler", "--error", "RangeError", "--limit", "2"], 2],
      [["--handler", "OrderEventHandler"], 0],
      [["--subscription", COMMANDS, "--type", "PlaceOrder", "--since", "90s"], 3],
    ] as const
  ) assertEquals((await ids(shop, ...args)).length, count, args.join(" "));
});

for (
  const [args, code, message] of [
    [["list", "--since", "yesterday"], 2, "it is no time"],
    [["list", "--since", "2026-02-30"], 2, "as 24h or 7d ago"],
    [["list", "--since", "2026-01-01T10:00:00"], 2, "is no time"],
    [["list", "--since", "1h", "--until", "2h"], 2, "must be before --until"],
    [["stats", "--handler", "OrderEventHandlr"], 1, "Did you mean 'OrderEventHandler'?"],
    [
      ["replay-all", "--subscription", "shop::odrer", "--yes"],
      1,
      "No subscription found for stream category",
    ],
    [["replay-all", "--yes"], 2, "Say which dead letters"],
    [["purge", "--all", "--type", "X", "--yes"], 2, "Say which dead letters"],
    [["replay-all", "--all", "--canary", "0"], 2, "whole number above 0"],
    [["replay-all", "--all", "--rate", "0"], 2, "number above 0"],
    [["replay-all", "--all", "--yes", "--canary", "1", "--to-all-groups"], 2, "cannot be told"],
    [["replay-all", "--all"], 2, "--yes"],
    [["discard", "--all", "--error", ""], 2, "must not be empty"],
    [["import", "nothing.jsonl"], 2, "Cannot read the file 'nothing.jsonl'"],
  ] as const
) {
  Deno.test(`dlq ${args.join(" ")} is exit ${code}`, async () => {
    await using shop = await ShopFolder.create();
    const ran = await shop.run(["dlq", ...args]);
    assertEquals([ran.code, ran.stdout], [code, ""]);
    assertStringIncludes(ran.stderr, message);
  });
}

Deno.test("replay-all replays what is meant, keeps the count, and is one line of the audit", async () => {
  await using shop = await withDeadLetters();
  const dry = await shop.run(["dlq", "replay-all", "--subscription", COMMANDS, "--dry-run"]);
  assertEquals([dry.code, dry.stdout, auditOf(dry.stderr)], [0, "Would replay 3 message(s).\n", []]);
  const asked = await shop.run(["dlq", "replay-all", "--subscription", COMMANDS], {
    terminal: true,
    stdin: "n\n",
  });
  assertStringIncludes(asked.stderr, `Replay all DLQ messages for subscription '${COMMANDS}'? [y/N]`);
  assertStringIncludes(asked.stderr, "Nothing was replayed.");
  const args = ["dlq", "replay-all", "--subscription", COMMANDS, "--yes", "--by", "ann", "--reason", "fixed"];
  const ran = await shop.run(args);
  assertEquals([ran.code, ran.stdout], [0, `Replayed 3 message(s) to stream '${COMMANDS}'.\n`]);
  const [line, ...others] = auditOf(ran.stderr);
  assertEquals(others, []);
  assertEquals(
    [line?.who, line?.what, line?.filter, line?.count, line?.outcome, line?.reason],
    ["ann", "dlq.replay", { subscription: COMMANDS }, 3, "done", "fixed"],
  );
  assertEquals(await ids(shop), []);
  await shop.run(["server", "--once"]);
  const { data } = JSON.parse((await shop.run(["dlq", "list", "--json"])).stdout);
  assertEquals(data.messages.map(({ replay_count }: { replay_count: number }) => replay_count), [1, 1, 1]);
});

Deno.test("replay-all takes no more than --limit, the oldest first, and says who asked by PROTEAN_USER", async () => {
  await using shop = await withDeadLetters();
  const [newest] = await ids(shop);
  const ran = await shop.run(["dlq", "replay-all", "--all", "--limit", "2", "--yes", "--json"], {
    env: { PROTEAN_USER: "bob" },
  });
  const { status, data } = JSON.parse(ran.stdout);
  assertEquals([ran.code, status, data.replayed, data.total, data.state], [0, "pass", 2, 2, "done"]);
  assertEquals(auditOf(ran.stderr).map(({ who }) => who), ["bob"]);
  assertEquals(await ids(shop), [newest]);
});

Deno.test("stats counts queues and what their letters failed of", async () => {
  await using shop = await withDeadLetters();
  const { code, stdout } = await shop.run(["dlq", "stats"]);
  assertEquals(code, 0);
  assertMatch(stdout, /^DLQ Stream +Depth +Oldest +Newest\n/);
  assertMatch(stdout, new RegExp(`\\n${COMMANDS}:dlq +3 +20\\d\\d-`));
  assertMatch(
    stdout,
    /\n[0-9a-f]{12} +OrderCommandHandler +RangeError +Shop\.PlaceOrder\.v1 +3 +20\d\d-.* 20\d\d-/,
  );
  const few = await shop.run(["dlq", "stats", "--subscription", COMMANDS, "--limit", "2"]);
  assertStringIncludes(few.stdout, `Failures in ${COMMANDS}:dlq, of the newest 2:\n`);
  const { data } = JSON.parse(
    (await shop.run(["dlq", "stats", "--handler", "OrderEventHandler", "--json"])).stdout,
  );
  assertEquals(
    data.queues.map(({ depth, groups }: { depth: number; groups: unknown[] }) => [depth, groups]),
    [
      [0, []],
    ],
  );
});

Deno.test("a note on a group is shown by stats until it is removed, also after the group was empty", async () => {
  await using shop = await withDeadLetters();
  const group = async () => {
    const { data } = JSON.parse((await shop.run(["dlq", "stats", "--json"])).stdout);
    return data.queues.find(({ dlq_stream }: { dlq_stream: string }) => dlq_stream === `${COMMANDS}:dlq`)
      .groups[0];
  };
  const { fingerprint, note, count } = await group();
  assertEquals([note, count], [null, 3]);
  const noted = await shop.run(["dlq", "note", fingerprint, " mended in 1.4\n", "--by", "ann"]);
  assertEquals([noted.code, noted.stdout], [0, `Noted group '${fingerprint}'.\n`]);
  assertEquals(auditOf(noted.stderr).map(({ what, who, group }) => [what, who, group]), [
    ["dlq.note", "ann", fingerprint],
  ]);
  assertMatch((await shop.run(["dlq", "stats"])).stdout, /Last +Note\n.* mended in 1\.4\n/);
  await shop.run(["dlq", "purge", "--all", "--export", "all.jsonl", "--yes"]);
  assertEquals(await group(), undefined);
  await shop.run(["dlq", "import", "all.jsonl"]);
  assertEquals((await group()).note, "mended in 1.4");
  assertEquals(
    (await shop.run(["dlq", "stats", "--since", "1h", "--json"])).stdout.includes("mended in 1.4"),
    true,
  );
  const removed = await shop.run(["dlq", "note", fingerprint, "", "--json"]);
  assertEquals(JSON.parse(removed.stdout).data, { fingerprint, note: null });
  assertEquals((await group()).note, null);
});

for (
  const [args, code, message] of [
    [["note", "0123456789ab", "x"], 1, "No dead letters of a group '0123456789ab'"],
    [["note", "0123456789ab", ""], 1, "No dead letters of a group"],
    [["note", "counted", "x"], 2, "12 hexadecimal digits"],
    [["note", "0123456789AB", "x"], 2, "12 hexadecimal digits"],
    [["note", "0123456789ab", "x".repeat(2_001)], 2, "at most 2000 characters"],
    [["note", "0123456789ab"], 2, "text"],
  ] as const
) {
  Deno.test(`dlq ${args.join(" ").slice(0, 40)} is exit ${code}, and changes nothing`, async () => {
    await using shop = await ShopFolder.create();
    const ran = await shop.run(["dlq", ...args]);
    assertEquals([ran.code, ran.stdout], [code, ""]);
    assertStringIncludes(ran.stderr, message);
  });
}

Deno.test("discard puts aside, restore brings back", async () => {
  await using shop = await withDeadLetters();
  const discarded = await shop.run(["dlq", "discard", "--error", "RangeError", "--yes"]);
  assertEquals([discarded.code, discarded.stdout], [0, "Discarded 3 message(s) from DLQ.\n"]);
  assertEquals(await ids(shop), []);
  assertEquals((await ids(shop, "--discarded", "--handler", "OrderCommandHandler")).length, 3);
  const dry = await shop.run(["dlq", "restore", "--type", "PlaceOrder", "--dry-run"]);
  assertEquals(dry.stdout, "Would restore 3 message(s) to DLQ.\n");
  const restored = await shop.run(["dlq", "restore", "--type", "PlaceOrder", "--yes"]);
  assertEquals([restored.code, restored.stdout], [0, "Restored 3 message(s) to DLQ.\n"]);
  assertEquals(auditOf(restored.stderr).map(({ what, count }) => [what, count]), [["dlq.restore", 3]]);
  assertEquals((await ids(shop, "--type", "PlaceOrder")).length, 3);
});

Deno.test("purge writes to a file before, import brings it back but for broken lines", async () => {
  await using shop = await withDeadLetters();
  const args = ["dlq", "purge", "--subscription", COMMANDS, "--yes", "--export", "gone.jsonl"];
  const purged = await shop.run(args);
  assertEquals([purged.code, purged.stdout], [0, "Purged 3 message(s) from DLQ.\n"]);
  const path = join(shop.folder, "gone.jsonl");
  const lines = (await Deno.readTextFile(path)).trimEnd().split("\n");
  assertEquals(lines.map((line) => JSON.parse(line).dlq_stream), Array(3).fill(`${COMMANDS}:dlq`));
  if (Deno.build.os !== "windows") assertEquals(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
  const again = await shop.run(args);
  assertEquals(again.code, 2);
  assertStringIncludes(again.stderr, "it is there already");
  const strange = JSON.stringify({
    dlq_stream: "billing::invoice",
    dlq_id: "1-1",
    broker: "default",
    data: "{}",
  });
  await shop.write("some.jsonl", [lines[0], "{", "", "7", strange, '{"dlq_stream":1}', lines[1]].join("\n"));
  const imported = await shop.run(["dlq", "import", "some.jsonl"]);
  assertEquals([imported.code, imported.stdout], [1, "Imported 2 message(s) to DLQ, refused 4.\n"]);
  for (
    const [line, why] of [[2, "not valid JSON"], [4, "no JSON object"], [5, "no dead-letter queue"], [
      6,
      "no text",
    ]]
  ) {
    assertMatch(imported.stderr, new RegExp(`(^|\n)line ${line}: .*${why}`));
  }
  assertEquals((await ids(shop, "--error", "RangeError")).length, 2);
  const exported = await shop.run(["dlq", "list", "--export", "all.jsonl", "--error", "RangeError"]);
  assertEquals([exported.code, exported.stdout], [0, "Exported 2 message(s) to 'all.jsonl'.\n"]);
  const texts = (await Deno.readTextFile(join(shop.folder, "all.jsonl"))).trimEnd().split("\n")
    .map((line) => JSON.parse(line).data);
  assertEquals(texts, lines.slice(0, 2).map((line) => JSON.parse(line).data), "to the letter");
});

Deno.test("replay --to-all-groups puts the message back on its stream, without what the letter said", async () => {
  await using shop = await withDeadLetters(1);
  const [id = ""] = await ids(shop);
  const ran = await shop.run(["dlq", "replay", id, "--to-all-groups"]);
  assertEquals([ran.code, ran.stdout], [0, `Replayed message '${id}' to stream '${COMMANDS}'.\n`]);
  await shop.run(["server", "--once"]);
  const { data } = JSON.parse((await shop.run(["dlq", "list", "--json"])).stdout);
  assertEquals(data.messages.map(({ replay_count }: { replay_count: number }) => replay_count), [0]);
});
