import { assertEquals, assertStringIncludes } from "@std/assert";
import { ShopFolder } from "./shop.ts";

Deno.test("db setup can be repeated", async () => {
  await using shop = await ShopFolder.create();
  for (let time = 0; time < 2; time++) {
    const { code, stdout, stderr } = await shop.run(["db", "setup"]);
    assertEquals([code, stdout, stderr], [0, "Database tables created successfully.\n", ""]);
  }
  assertEquals((await shop.run(["db", "setup-outbox"])).stdout, "Outbox tables created successfully.\n");
});

Deno.test("db setup is harmless without a relational database", async () => {
  await using shop = await ShopFolder.create('[databases.default]\nprovider = "memory"\n');
  const { code, stdout } = await shop.run(["db", "setup", "--json"]);
  assertEquals(code, 0);
  assertEquals(JSON.parse(stdout).data.providers, ["default"]);
});

for (const [verb, done] of [["truncate", "truncated"], ["drop", "dropped"]] as const) {
  Deno.test(`db ${verb} destroys data only when told to`, async () => {
    await using shop = await ShopFolder.create();
    await shop.run(["send", "PlaceOrder", "--data", '{"orderId":"o-1","amount":1}']);
    const unasked = await shop.run(["db", verb]);
    assertEquals([unasked.code, unasked.stdout], [2, ""]);
    assertStringIncludes(unasked.stderr, "--yes");
    const refused = await shop.run(["db", verb], { terminal: true, stdin: "\n" });
    assertEquals([refused.code, refused.stdout], [0, ""]);
    assertStringIncludes(refused.stderr, "Nothing was changed.");
    const { code, stdout } = await shop.run(["db", verb, "--yes"]);
    assertEquals([code, stdout], [0, `Database tables ${done} successfully.\n`]);
    await shop.run(["server", "--once"]);
    assertEquals(shop.handled, []);
  });
}
