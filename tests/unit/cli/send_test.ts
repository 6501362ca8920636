import { assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { ShopFolder } from "./shop.ts";

const good = (id: number) => JSON.stringify({ orderId: `o-${id}`, amount: id });

Deno.test("one payload is sent and worked off by the server", async () => {
  await using shop = await ShopFolder.create();
  const sent = await shop.run(["send", "PlaceOrder", "--data", good(1)]);
  assertEquals([sent.code, sent.stdout, sent.stderr], [0, "1 sent, 0 refused: Shop.PlaceOrder.v1.\n", ""]);
  const served = await shop.run(["server", "--once"]);
  assertEquals(served.code, 0, served.stderr);
  assertEquals(shop.handled, ["o-1"]);
});

Deno.test("bad lines are told with their number, and the rest goes through", async () => {
  await using shop = await ShopFolder.create();
  const file = await shop.write(
    "orders.jsonl",
    [good(1), "", "{broken", '{"orderId":"o-2"}', "  ", good(3), "[]"].join("\n"),
  );
  const sent = await shop.run(["send", "PlaceOrder", "--file", file]);
  assertEquals([sent.code, sent.stdout], [1, "2 sent, 3 refused: Shop.PlaceOrder.v1.\n"]);
  const lines = sent.stderr.trimEnd().split("\n");
  assertEquals(lines.length, 3, sent.stderr);
  assertMatch(lines[0] ?? "", /^line 3: not valid JSON/);
  assertMatch(lines[1] ?? "", /^line 4: .*amount/);
  assertMatch(lines[2] ?? "", /^line 7: /);
  await shop.run(["server", "--once"]);
  assertEquals(shop.handled, ["o-1", "o-3"]);
});

Deno.test("a line that is no JSON is told by its place, without a word of its text (SEC-4)", async () => {
  await using shop = await ShopFolder.create();
  for (
    const [line, trouble] of [
      ['{"orderId":"SECRET","amount":NaN}', "it holds NaN or an Infinity, which JSON does not have"],
      ['{"orderId":"SECRET","amount":-Infinity}', "it holds NaN or an Infinity, which JSON does not have"],
      ['{"orderId":"SECRET"', "expected ',' or '}' at character 20"],
      ["SECRET", "expected a value at character 1"],
      ["'SECRET'", "expected a value at character 1"],
    ] as const
  ) {
    const sent = await shop.run(["send", "PlaceOrder", "--data", line]);
    assertEquals([sent.code, sent.stderr], [1, `line 1: not valid JSON: ${trouble}\n`]);
  }
});

Deno.test("an empty --data, as an unset variable gives it, is refused", async () => {
  await using shop = await ShopFolder.create();
  for (const data of ["", " "]) {
    const sent = await shop.run(["send", "PlaceOrder", "--data", data]);
    assertEquals(sent.code, 2);
    assertStringIncludes(sent.stderr, "--data is empty");
  }
});

Deno.test("stdin is read with - and the type string names the message too", async () => {
  await using shop = await ShopFolder.create();
  const stdin = `${good(1)}\r\n${good(2)}`;
  const sent = await shop.run(["send", "Shop.PlaceOrder.v1", "-", "--json"], { stdin });
  assertEquals(sent.code, 0, sent.stderr);
  assertEquals(JSON.parse(sent.stdout), {
    version: "0.1.0",
    status: "pass",
    data: { message: "Shop.PlaceOrder.v1", sent: 2, refused: 0, refusals: [], stopped_at: null },
    diagnostics: [],
  });
});

Deno.test("the envelope lists what was refused", async () => {
  await using shop = await ShopFolder.create();
  const { code, stdout } = await shop.run(["send", "PlaceOrder", "--data", "nope", "--json"]);
  assertEquals(code, 1);
  const { status, data } = JSON.parse(stdout);
  assertEquals([status, data.sent, data.refused, data.refusals[0].line], ["fail", 0, 1, 1]);
});

Deno.test("events are published, on the stream of --id", async () => {
  await using shop = await ShopFolder.create();
  const sent = await shop.run(["send", "OrderPlaced", "--data", good(7), "--id", "elsewhere"]);
  assertEquals(sent.code, 0, sent.stderr);
  await shop.run(["server", "--once"]);
  assertEquals(shop.handled, ["o-7"]);
});

Deno.test("--sync runs the handler here, and its failure is the line's", async () => {
  await using shop = await ShopFolder.create();
  const stdin = ['{"orderId":"a","amount":1}', '{"orderId":"b","amount":-1}', '{"orderId":"c","amount":2}']
    .join("\n");
  const sent = await shop.run(["send", "PlaceOrder", "-", "--sync"], { stdin });
  assertEquals([sent.code, sent.stdout], [1, "2 sent, 1 refused: Shop.PlaceOrder.v1.\n"]);
  assertEquals(sent.stderr, "line 2: amount -1 is negative\n");
  await shop.run(["server", "--once"]);
  assertEquals(shop.handled, ["a", "c"]);
});

for (
  const [args, message] of [
    [["PlaceOder"], "The domain 'shop' has no message 'PlaceOder'. Did you mean 'PlaceOrder'?"],
    [["zzzzzzzz"], "It knows OrderPlaced, PlaceOrder."],
    [["PlaceOrder", "--id", "x"], "--id is for events"],
    [["OrderPlaced", "--sync"], "--sync is for commands"],
  ] as const
) {
  Deno.test(`send ${args.join(" ")} is exit 2`, async () => {
    await using shop = await ShopFolder.create();
    const { code, stdout, stderr } = await shop.run(["send", ...args, "--data", good(1)]);
    assertEquals([code, stdout], [2, ""]);
    assertStringIncludes(stderr, message);
  });
}

Deno.test("a line that is too long is refused without being held in memory", async () => {
  await using shop = await ShopFolder.create();
  const stdin = `${" ".repeat(9 * 1024 * 1024)}\n${good(1)}\n`;
  const sent = await shop.run(["send", "PlaceOrder", "-"], { stdin });
  assertEquals([sent.code, sent.stdout], [1, "1 sent, 1 refused: Shop.PlaceOrder.v1.\n"]);
  assertMatch(sent.stderr, /^line 1: the line is longer than \d+ bytes\n$/);
});

Deno.test("the progress line is for terminals only, and is taken away at the end", async () => {
  await using shop = await ShopFolder.create();
  const file = await shop.write("orders.jsonl", Array.from({ length: 20 }, (_, id) => good(id)).join("\n"));
  assertEquals((await shop.run(["send", "PlaceOrder", "--file", file])).stderr, "");
  const { stderr } = await shop.run(["send", "PlaceOrder", "--file", file], { terminal: true });
  assertStringIncludes(stderr, "sent, 0 refused");
  assertEquals(stderr.endsWith("\r\x1b[K"), true);
});

Deno.test("--rate spreads the messages over time", async () => {
  await using shop = await ShopFolder.create();
  const stdin = Array.from({ length: 6 }, (_, id) => good(id)).join("\n");
  const began = performance.now();
  assertEquals((await shop.run(["send", "PlaceOrder", "-", "--rate", "20"], { stdin })).code, 0);
  // Five gaps of 50 ms: a lower bound is a fact, an upper one would be a guess.
  assertLess(249, performance.now() - began);
});

Deno.test("a thousand lines take well under two seconds", async () => {
  await using shop = await ShopFolder.create();
  const stdin = Array.from({ length: 1_000 }, (_, id) => good(id)).join("\n");
  const began = performance.now();
  assertEquals(
    (await shop.run(["send", "PlaceOrder", "-"], { stdin })).stdout,
    "1000 sent, 0 refused: Shop.PlaceOrder.v1.\n",
  );
  assertLess(performance.now() - began, 5_000);
});

Deno.test("int64-rounded: an amount that a number cannot hold is refused by the field's name, not rounded", async () => {
  await using shop = await ShopFolder.create();
  const sent = await shop.run([
    "send",
    "PlaceOrder",
    "--data",
    '{"orderId":"o-1","amount":9007199254740993}',
  ]);
  assertEquals(sent.code, 1);
  assertStringIncludes(sent.stderr, "amount: is an integer that a number cannot hold exactly");
});
