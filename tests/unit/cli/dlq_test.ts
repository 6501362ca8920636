import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { ShopFolder } from "./shop.ts";
import { auditOf, talkOf } from "./support.ts";

const COMMANDS = "shop::order:command";

/** A folder in which the command with a negative amount has been dead-lettered. */
async function withDeadLetter() {
  const shop = await ShopFolder.create();
  await shop.run(["send", "PlaceOrder", "--data", '{"orderId":"o-1","amount":-1}']);
  const { code, stderr } = await shop.run(["server", "--once"]);
  assertEquals(code, 0, stderr);
  const { data } = JSON.parse((await shop.run(["dlq", "list", "--json"])).stdout);
  return { shop, id: String(data.messages[0]?.dlq_id), data };
}

Deno.test("list shows what failed and why", async () => {
  const { shop, id, data } = await withDeadLetter();
  await using _ = shop;
  assertEquals(data.count, 1);
  const [message] = data.messages;
  assertEquals(
    [message.subscription, message.dlq_stream, message.consumer_group, message.handler, message.retry_count],
    [COMMANDS, `${COMMANDS}:dlq`, "shop.OrderCommandHandler", "OrderCommandHandler", 1],
  );
  assertEquals([message.error_type, message.message_type], ["RangeError", "Shop.PlaceOrder.v1"]);
  const { code, stdout } = await shop.run(["dlq", "list"]);
  assertEquals(code, 0);
  assertMatch(stdout, /^DLQ ID +Subscription +Consumer Group +Failure Reason +Failed At +Retries\n/);
  assertMatch(
    stdout,
    new RegExp(
      `\\n${id} +${COMMANDS} +shop\\.OrderCommandHandler +.*amount -1 is negative +20\\d\\d-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d +1\\n`,
    ),
  );
  assertMatch(stdout, /\n1 DLQ message\(s\) found\.\n$/);
});

Deno.test("inspect shows the reason, the payload and the stack", async () => {
  const { shop, id } = await withDeadLetter();
  await using _ = shop;
  const { code, stdout } = await shop.run(["dlq", "inspect", id]);
  assertEquals(code, 0);
  for (
    const line of [
      `DLQ ID: ${id}\n`,
      "\nOriginal ID: ",
      `\nStream: ${COMMANDS}\n`,
      "\nConsumer Group: shop.OrderCommandHandler\n",
      `\nDLQ Stream: ${COMMANDS}:dlq\n`,
      "\nFailure Reason: ",
      "\nFailed At: 20",
      "\nRetry Count: 1\n",
      "\n\nPayload:\n{\n",
      '"amount": -1',
      "\nStack:\nRangeError",
    ]
  ) assertStringIncludes(stdout, line);
  assertEquals(stdout.includes("_dlq_metadata"), false);
  const { data } = JSON.parse((await shop.run(["dlq", "inspect", id, "--json"])).stdout);
  assertEquals(data.payload.data, { amount: -1, orderId: "o-1" });
});

Deno.test("replay hands the message to its group again, and it comes back when it fails again", async () => {
  const { shop, id } = await withDeadLetter();
  await using _ = shop;
  const dry = await shop.run(["dlq", "replay", id, "--dry-run"]);
  assertEquals([dry.code, dry.stdout], [0, `Would replay message '${id}' to stream '${COMMANDS}'.\n`]);
  const replayed = await shop.run(["dlq", "replay", id]);
  assertEquals([replayed.code, replayed.stdout], [0, `Replayed message '${id}' to stream '${COMMANDS}'.\n`]);
  assertEquals((await shop.run(["dlq", "list"])).stdout, "No DLQ messages found.\n");
  const again = await shop.run(["dlq", "replay", id]);
  assertEquals([again.code, talkOf(again.stderr)], [1, `Error: DLQ message '${id}' not found.\n`]);
  await shop.run(["server", "--once"]);
  const { data } = JSON.parse((await shop.run(["dlq", "list", "--json"])).stdout);
  assertEquals(
    data.messages.map((message: Record<string, unknown>) => [message.replay_count, message.subscription]),
    [
      [1, COMMANDS],
    ],
  );
});

Deno.test("purge asks, takes --yes for an answer and can be tried", async () => {
  const { shop } = await withDeadLetter();
  await using _ = shop;
  const purge = ["dlq", "purge", "--subscription", COMMANDS];
  const dry = await shop.run([...purge, "--dry-run"]);
  assertEquals([dry.code, dry.stdout], [0, "Would purge 1 message(s) from DLQ.\n"]);
  const unasked = await shop.run(purge);
  assertEquals([unasked.code, unasked.stdout], [2, ""]);
  assertStringIncludes(unasked.stderr, "--yes");
  const refused = await shop.run(purge, { terminal: true, stdin: "n\n" });
  assertEquals([refused.code, refused.stdout], [0, ""]);
  assertStringIncludes(
    refused.stderr,
    `Purge all DLQ messages for subscription '${COMMANDS}'? This cannot be undone. [y/N]`,
  );
  const agreed = await shop.run(purge, { terminal: true, stdin: "y\n" });
  assertEquals([agreed.code, agreed.stdout], [0, "Purged 1 message(s) from DLQ.\n"]);
  const empty = await shop.run([...purge, "--yes"]);
  assertEquals([empty.code, empty.stdout], [0, "Purged 0 message(s) from DLQ.\n"]);
});

for (
  const [args, code, message] of [
    [["dlq", "inspect", "9-9"], 1, "DLQ message '9-9' not found."],
    [
      ["dlq", "list", "--subscription", "shop::odrer"],
      1,
      "No subscription found for stream category 'shop::odrer'.",
    ],
    [["dlq", "list", "--handler", "Nobody"], 1, "No handler is called 'Nobody'."],
    [["dlq", "inspect", "not an id"], 1, "not found"],
  ] as const
) {
  Deno.test(`${args.join(" ")} is exit ${code}`, async () => {
    await using shop = await ShopFolder.create();
    const ran = await shop.run(args);
    assertEquals([ran.code, ran.stdout], [code, ""]);
    assertStringIncludes(ran.stderr, message);
  });
}

Deno.test("an empty id, as an unset variable gives it, is exit 2", async () => {
  await using shop = await ShopFolder.create();
  for (const verb of ["inspect", "replay"]) {
    const { code, stderr } = await shop.run(["dlq", verb, ""]);
    assertEquals(code, 2);
    assertStringIncludes(stderr, "It must not be empty.");
  }
});

/** An editor: a program that gets the file as its last argument. */
async function editor(shop: ShopFolder, script: string): Promise<string> {
  const path = await shop.write("editor.sh", `#!/bin/sh\n${script}\n`);
  await Deno.chmod(path, 0o755);
  return path;
}

Deno.test({
  name: "replay --edit gives the handler what was saved in the editor, with a checksum of its own",
  // The editor is a script.
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const { shop, id } = await withDeadLetter();
    await using _ = shop;
    // What is told of the file: who may read it and its folder, and where it was.
    const EDITOR = await editor(
      shop,
      `stat -c %a "$2" "$(dirname "$2")" > "$0.seen"; echo "$1 $2" >> "$0.seen"
sed -i 's/: -1/: 1/' "$2"`,
    );
    const ran = await shop.run(["dlq", "replay", id, "--edit", "--allow-edit", "--by", "ann"], {
      env: { EDITOR: `${EDITOR} --wait;true` },
    });
    assertEquals(
      [ran.code, ran.stdout],
      [0, `Replayed message '${id}' to stream '${COMMANDS}'.\n`],
      ran.stderr,
    );
    assertEquals(auditOf(ran.stderr).map(({ what, outcome, who }) => [what, outcome, who]), [
      ["dlq.edit", "done", "ann"],
      ["dlq.replay", "done", "ann"],
    ]);
    const [mode, folderMode, args = ""] = (await Deno.readTextFile(`${EDITOR}.seen`)).split("\n");
    assertEquals([mode, folderMode, args.startsWith("--wait;true /")], ["600", "700", true]);
    const file = args.split(" ").at(-1) ?? "";
    await assertRejects(() => Deno.stat(file), Deno.errors.NotFound);
    await shop.run(["server", "--once"]);
    assertEquals((await shop.run(["dlq", "list"])).stdout, "No DLQ messages found.\n");
    assertEquals(shop.handled, ["o-1"]);
  },
});

for (
  const [what, script, code, message] of [
    [
      "what the schema refuses",
      `echo '{"orderId":"o-1","amount":"much"}' > "$1"`,
      1,
      "is refused, and nothing was",
    ],
    ["what is no JSON", `echo '{"orderId":' > "$1"`, 1, "is refused, and nothing was changed"],
    ["what is no object", `echo '[1]' > "$1"`, 1, "it is no JSON object"],
    ["an editor that fails", "exit 3", 2, "ended with 3: nothing was changed"],
    ["an unchanged payload", "true", 2, "was not changed"],
  ] as const
) {
  Deno.test({
    name: `replay --edit refuses ${what}, and the letter stays`,
    ignore: Deno.build.os === "windows",
    fn: async () => {
      const { shop, id } = await withDeadLetter();
      await using _ = shop;
      const EDITOR = await editor(shop, script);
      const ran = await shop.run(["dlq", "replay", id, "--edit", "--allow-edit"], { env: { EDITOR } });
      assertEquals([ran.code, ran.stdout], [code, ""]);
      assertStringIncludes(ran.stderr, message);
      assertEquals(auditOf(ran.stderr).map(({ what, outcome }) => [what, outcome]), [[
        "dlq.edit",
        "refused",
      ]]);
      assertStringIncludes((await shop.run(["dlq", "inspect", id])).stdout, '"amount": -1');
    },
  });
}

for (
  const [args, env, message] of [
    [["--edit"], { EDITOR: "true" }, "say --allow-edit as well"],
    [["--edit", "--allow-edit", "--dry-run"], { EDITOR: "true" }, "does not go with --dry-run"],
    [["--edit", "--allow-edit"], {}, "needs the variable EDITOR"],
    [["--edit", "--allow-edit"], { EDITOR: "/no/such/editor" }, "Cannot run the editor '/no/such/editor'"],
  ] as const
) {
  Deno.test(`replay ${args.join(" ")} with ${JSON.stringify(env)} is exit 2`, async () => {
    const { shop, id } = await withDeadLetter();
    await using _ = shop;
    const ran = await shop.run(["dlq", "replay", id, ...args], { env });
    assertEquals([ran.code, ran.stdout], [2, ""]);
    assertStringIncludes(ran.stderr, message);
  });
}
