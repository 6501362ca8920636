/** `subscriptions failed`: messages of the event store that have failed, and what becomes of one (wire 4.6). */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { DeadLetter, Domain, on } from "@protean/server";
import { z } from "zod";
import { main } from "../../../lib/cli/mod.ts";
import { ShopFolder } from "./shop.ts";
import { recordingIo } from "./support.ts";

const HEALTH = "[server.health]\nenabled = false\n";

/** Two handlers read the event store; one gives up what `isBroken` says, the other nothing. */
function reading(handled: string[], isBroken: () => boolean, maxRetries: number): Domain {
  const domain = new Domain("shop");
  const Order = domain.aggregate("Order", { schema: z.object({ id: z.string() }) });
  const OrderPlaced = domain.event("OrderPlaced", {
    partOf: Order,
    schema: z.object({ orderId: z.string(), amount: z.number() }),
  });
  const options = {
    partOf: Order,
    subscriptionType: "event_store",
    subscriptionConfig: { maxRetries },
  } as const;
  domain.eventHandler("Bills", {
    ...options,
    handles: [on(OrderPlaced, ({ orderId, amount }) => {
      if (isBroken() && amount <= 0) throw new DeadLetter("nothing to bill");
      handled.push(orderId);
    })],
  });
  domain.eventHandler("Counts", { ...options, handles: [on(OrderPlaced, () => {})] });
  return domain;
}

const FAILED = ["subscriptions", "failed"] as const;

/** Two messages have been given up by Bills, and one was handled. */
async function given(toml = "", maxRetries = 3) {
  const shop = await ShopFolder.create(HEALTH + toml);
  let broken = true;
  const run = async (...args: string[]) => {
    const io = recordingIo({ cwd: shop.folder });
    const domains = { shop: reading(shop.handled, () => broken, maxRetries) };
    const code = await main({ domains, args: [...args, "--domain=shop"], io });
    return { code, stdout: io.stdout, stderr: io.stderr };
  };
  for (const [orderId, amount] of [["o1", 0], ["o2", 5], ["o3", 0]] as const) {
    const sent = await run("send", "OrderPlaced", "--data", JSON.stringify({ orderId, amount }));
    assertEquals(sent.code, 0, sent.stderr);
  }
  assertEquals((await run("server", "--once")).code, 0);
  assertEquals(shop.handled, ["o2"]);
  const { data } = JSON.parse((await run(...FAILED, "--json")).stdout);
  const positions = (data.failed as { position: number }[]).map(({ position }) => String(position));
  return { shop, run, data, positions, mend: () => broken = false };
}

Deno.test("failed lists what was given up, with its handler, message and position", async () => {
  const { shop, run, data } = await given();
  await using _ = shop;
  assertEquals(data.count, 2);
  const { position, message_id, stream_name, recorded_at, ...rest } = data.failed[0];
  assertEquals(typeof position, "number");
  assertEquals(typeof message_id, "string");
  assertMatch(stream_name, /^shop::order-/);
  assertMatch(recorded_at, /^20\d\d-/);
  assertEquals(rest, {
    handler_name: "Bills",
    consumer_group: "shop.Bills",
    stream_category: "shop::order",
    message_type: "Shop.OrderPlaced.v1",
    stream_position: 0,
    retry_count: 0,
    state: "exhausted",
  });
  const people = await run(...FAILED);
  assertMatch(people.stdout, /Bills +shop::order +\d+ +Shop\.OrderPlaced\.v1/);
  assertStringIncludes(people.stdout, "2 message(s) have failed, 2 of them are not tried again.");
  assertEquals(
    (await run(...FAILED, "--subscription", "Counts")).stdout,
    "No message of the event store has failed.\n",
  );
});

Deno.test("failed --retry has the message tried again when its server runs", async () => {
  const { shop, run, positions: [first = ""], mend } = await given();
  await using _ = shop;
  const { code, stdout, stderr } = await run(...FAILED, "--subscription", "Bills", "--retry", first);
  assertEquals(code, 0, stderr);
  assertMatch(stdout, /^Recorded that message '.+' at position \d+ for Bills is to be tried again/);
  const states = async () =>
    JSON.parse((await run(...FAILED, "--json")).stdout).data.failed.map(({ state }: { state: string }) =>
      state
    );
  assertEquals(await states(), ["retrying", "exhausted"]);
  mend();
  assertEquals((await run("server", "--once")).code, 0);
  assertEquals(shop.handled, ["o2", "o1"]);
  assertEquals(await states(), ["exhausted"]);
});

Deno.test("failed --skip asks first, and leaves the message out for good", async () => {
  const { shop, run, positions: [first = "", second = ""], mend } = await given();
  await using _ = shop;
  const which = [...FAILED, "--subscription", "shop.Bills", "--skip", second];
  const asked = await run(...which);
  assertEquals(asked.code, 2);
  assertStringIncludes(asked.stderr, "Nobody can be asked here: repeat the command with --yes.");
  const { code, stdout } = await run(...which, "--yes", "--json");
  assertEquals(code, 0);
  const { position, outcome } = JSON.parse(stdout).data;
  assertEquals([String(position), outcome], [second, "skipped"]);
  mend();
  assertEquals((await run("server", "--once")).code, 0);
  assertEquals(shop.handled, ["o2"]);
  const rest = JSON.parse((await run(...FAILED, "--json")).stdout).data.failed;
  assertEquals(rest.map((one: { position: number }) => String(one.position)), [first]);
});

Deno.test("failed refuses what it cannot do with one sentence", async () => {
  const { shop, run, positions: [first = ""] } = await given();
  await using _ = shop;
  for (
    const [args, code, sentence] of [
      [["--retry", first], 2, "Say whose message is meant with --subscription"],
      [["--subscription", "Bills", "--retry", first, "--skip", first], 2, "not both"],
      [["--subscription", "Bills", "--retry", "1.5"], 2, "A global position is a whole number"],
      [
        ["--subscription", "Nobody", "--retry", first],
        1,
        "No subscription of this domain is called 'Nobody'",
      ],
      [["--subscription", "Counts", "--retry", first], 1, `Position ${first} is none of the failed`],
    ] as const
  ) {
    const ran = await run(...FAILED, ...args);
    assertEquals(ran.code, code, args.join(" "));
    assertStringIncludes(ran.stderr, sentence);
  }
});

for (
  const [toml, maxRetries, why] of [
    ["", 0, "its max_retries is 0"],
    [
      "[server.event_store_subscription]\nenable_recovery = false\n",
      3,
      "enable_recovery in [server.event_store_sub",
    ],
  ] as const
) {
  Deno.test(`failed --retry is refused where nothing would come of it: ${why}`, async () => {
    const { shop, run, positions: [first = ""] } = await given(toml, maxRetries);
    await using _ = shop;
    const { code, stderr } = await run(...FAILED, "--subscription", "Bills", "--retry", first);
    assertEquals(code, 1);
    assertStringIncludes(stderr, why);
    assertStringIncludes(stderr, "leave the message out with --skip");
  });
}
