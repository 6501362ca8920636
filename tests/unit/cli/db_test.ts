import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { ShopFolder } from "./shop.ts";
import { auditOf, talkOf } from "./support.ts";

Deno.test("db setup can be repeated", async () => {
  await using shop = await ShopFolder.create();
  for (
    const changed of [
      /^Created or upgraded schema, outbox, .*protean_shop_order of database 'default'; .*event store 'default'\.\n$/,
      /^Every table has this server's version\.\n$/,
    ]
  ) {
    const { code, stdout, stderr } = await shop.run(["db", "setup"]);
    assertEquals([code, stdout], [0, "Database tables created successfully.\n"]);
    assertMatch(talkOf(stderr), changed);
  }
  assertEquals((await shop.run(["db", "setup-outbox"])).stdout, "Outbox tables created successfully.\n");
});

Deno.test("what changes tables says which, on stderr and in JSON", async () => {
  await using shop = await ShopFolder.create();
  const outbox = await shop.run(["db", "setup-outbox"]);
  assertEquals(
    talkOf(outbox.stderr),
    "Created or upgraded schema, outbox, outbox_lease, marks, lock of database 'default'.\n",
  );
  const { changes } = JSON.parse((await shop.run(["db", "setup", "--json"])).stdout).data;
  assert(changes.some(({ component }: { component: string }) => component === "protean_shop_order"));
  change(shop, "UPDATE protean_schema SET version = 1 WHERE component = 'marks'");
  change(shop, "ALTER TABLE protean_processed DROP COLUMN checksum");
  const upgraded = await shop.run(["db", "upgrade"]);
  assertEquals(talkOf(upgraded.stderr), "Created or upgraded marks of database 'default'.\n");

  const tables = ["protean_outbox", "protean_processed", "protean_shop_order"];
  const truncated = await shop.run(["db", "truncate", "--yes"]);
  assertEquals(auditOf(truncated.stderr).map(({ what, outcome }) => [what, outcome]), [[
    "db.truncate",
    "done",
  ]]);
  assertEquals(talkOf(truncated.stderr), `Emptied the tables ${tables.join(", ")} of database 'default'.\n`);
  const again = await shop.run(["db", "truncate", "--yes", "--json"]);
  assertEquals(JSON.parse(again.stdout).data.emptied, { default: tables });
  await shop.run(["db", "drop", "--yes"]);
  assertEquals((await shop.run(["db", "truncate", "--yes"])).stderr, "Emptied no table, as there is none.\n");
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

/** Changes the file behind the command line's back. */
function change(shop: ShopFolder, sql: string): void {
  using db = new DatabaseSync(join(shop.folder, "shop.db"));
  db.exec(sql);
}

interface Shown {
  readonly adapter: string;
  readonly component: string;
  readonly version: number;
  readonly latest: number;
  readonly state: string;
}

async function components(shop: ShopFolder): Promise<readonly Shown[]> {
  const { stdout } = await shop.run(["db", "status", "--json"]);
  return JSON.parse(stdout).data.components;
}

/** As a server of version 0.1.0 has left it: the marks without their checksum, and no versions. */
const OLDER =
  "DROP TABLE protean_schema; DROP TABLE protean_lock; ALTER TABLE protean_processed DROP COLUMN checksum";

Deno.test("db status shows what is missing, behind and current, and changes nothing", async () => {
  await using shop = await ShopFolder.create();
  for (let time = 0; time < 2; time++) {
    assertEquals([...new Set((await components(shop)).map(({ state }) => state))], ["missing"]);
  }
  await shop.run(["db", "setup"]);
  assertEquals([...new Set((await components(shop)).map(({ state }) => state))], ["current"]);
  change(shop, OLDER);
  const database = (await components(shop)).filter(({ adapter }) => adapter === "database");
  const found = new Map(database.map((each) => [each.component, each]));
  assertEquals([found.get("marks")?.version, found.get("marks")?.latest, found.get("marks")?.state], [
    1,
    2,
    "behind",
  ]);
  assertEquals([found.get("outbox")?.state, found.get("lock")?.state], ["current", "missing"]);
  const { code, stdout } = await shop.run(["db", "status"]);
  assertEquals(code, 0);
  assert(/database 'default' +marks +1 +2 +behind/.test(stdout), stdout);
});

Deno.test("db upgrade prints its statements, or runs them, once", async () => {
  await using shop = await ShopFolder.create();
  await shop.run(["db", "setup"]);
  change(shop, OLDER);
  const dry = await shop.run(["db", "upgrade", "--dry-run"]);
  assertStringIncludes(
    dry.stdout,
    "-- database 'default': marks, version 1 to 2, additive: add the column checksum\nbegin;\n",
  );
  assertStringIncludes(dry.stdout, "ALTER TABLE protean_processed ADD COLUMN checksum text;\n");
  assertEquals((await shop.run(["db", "upgrade", "--dry-run"])).stdout, dry.stdout);
  const { code, stdout } = await shop.run(["db", "upgrade", "--json"]);
  assertEquals(code, 0);
  const { changes } = JSON.parse(stdout).data;
  assert(
    changes.some((each: { component: string; to: number }) => each.component === "marks" && each.to === 2),
  );
  assertEquals([...new Set((await components(shop)).map(({ state }) => state))], ["current"]);
  const again = await shop.run(["db", "upgrade", "--dry-run"]);
  assertEquals([again.stdout, again.stderr], ["", "Every table has this server's version.\n"]);
});

Deno.test("tables of a newer server are worked with while they allow it, and else refused with exit 2", async () => {
  await using shop = await ShopFolder.create();
  await shop.run(["db", "setup"]);
  change(shop, "UPDATE protean_schema SET version = 9 WHERE component = 'outbox'");
  assertEquals((await shop.run(["server", "--once"])).code, 0);
  change(shop, "UPDATE protean_schema SET compatible = 9 WHERE component = 'outbox'");
  for (const args of [["server", "--once"], ["db", "setup"], ["db", "upgrade"], ["db", "drop", "--yes"]]) {
    const { code, stderr } = await shop.run(args);
    assertEquals(code, 2, args.join(" "));
    assertStringIncludes(stderr, "The outbox of the SQLite file");
    assertStringIncludes(stderr, "has schema version 9, and this server knows up to 1");
  }
  const { code, stdout } = await shop.run(["db", "status", "--json"]);
  const { status, data } = JSON.parse(stdout);
  const outbox = data.components.find(({ component }: Shown) => component === "outbox");
  assertEquals([code, status, outbox.state], [1, "fail", "incompatible"]);
});

Deno.test("db drop asks with the names of what goes and what stays, and does just that", async () => {
  await using shop = await ShopFolder.create();
  await shop.run(["db", "setup"]);
  const { stderr } = await shop.run(["db", "drop"], { terminal: true, stdin: "\n" });
  assertStringIncludes(
    stderr,
    "protean_outbox, protean_outbox_lease, protean_processed, protean_lock, protean_shop_order of",
  );
  assertStringIncludes(stderr, "table messages stay, and protean_schema with their versions");
  const { stdout } = await shop.run(["db", "drop", "--yes", "--json"]);
  const dropped = JSON.parse(stdout).data.dropped.default;
  assertEquals(dropped.length, 5);
  using db = new DatabaseSync(join(shop.folder, "shop.db"));
  const left = db.prepare(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name",
  );
  assertEquals(left.all().map(({ name }) => name), ["messages", "protean_schema"]);
});
