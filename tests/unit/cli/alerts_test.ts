/** `alerts list` and `alerts mute`, as the command line has them. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ShopFolder } from "./shop.ts";
import { auditOf, talkOf } from "./support.ts";

const TOML = `[server.health]
enabled = false
[server.dlq]
enabled = true
alert_threshold = 2
[alerts]
enabled = true
`;

/** As a running server keeps alerts. */
function withStreams(shop: ShopFolder, work: (db: DatabaseSync) => void): void {
  const db = new DatabaseSync(join(shop.folder, "shop-streams.db"));
  try {
    work(db);
  } finally {
    db.close();
  }
}

async function json(shop: ShopFolder, ...args: string[]) {
  const { code, stdout } = await shop.run([...args, "--json"]);
  return { code, ...JSON.parse(stdout) };
}

Deno.test("what fires is listed and muted, with who did it, until when, and unmuted", async () => {
  await using shop = await ShopFolder.create(TOML);
  assertEquals((await shop.run(["alerts", "list"])).stdout, "No alerts found.\n");
  const broken = JSON.stringify({
    state: "firing",
    since: 0,
    value: 7,
    threshold: 5,
    text: "It is \u001b[31mold.",
  });
  const long = `shop.${"orders.".repeat(12)}Handler`;
  await shop.run(["send", "PlaceOrder", "--data", '{"orderId":"o-1","amount":1}']);
  withStreams(shop, (db) => {
    const put = db.prepare("INSERT INTO protean_alert (id, data) VALUES (?, ?)");
    put.run('["shop","alert","oldest_age","shop.OrderEventHandler"]', broken);
    put.run('["shop","alert","check","pay"]', broken.replace("firing", "pending"));
    put.run(JSON.stringify(["shop", "alert", "check", long]), broken);
    put.run('["other","alert","check","pay"]', broken);
    put.run('["shop","alert","check","new"]', '{"state":"unheard of"}');
  });
  const listed = await shop.run(["alerts", "list"]);
  assertMatch(listed.stdout, /^State +Rule +Subject +Since +What\n/);
  assertMatch(
    listed.stdout,
    /\nfiring +oldest_age +shop.OrderEventHandler +1970-01-01 00:00:00 +It is .*old.\npending/,
  );
  assertEquals(listed.stdout.includes("\u001b"), false);
  assertStringIncludes(listed.stdout, "\n3 alert(s) found.\n");
  assertStringIncludes(listed.stdout, ` ${long} `, "as `alerts mute` takes it");
  withStreams(shop, (db) => db.exec("DELETE FROM protean_alert WHERE id LIKE '%.orders.orders.%'"));

  const args = [
    "alerts",
    "mute",
    "oldest_age",
    "shop.OrderEventHandler",
    "--for",
    "2h",
    "--by",
    "ann",
    "--reason",
    "x",
  ];
  const muted = await shop.run(args);
  assertEquals([muted.code, talkOf(muted.stderr)], [0, ""]);
  assertMatch(
    muted.stdout,
    /^Muted until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d: oldest_age shop.OrderEventHandler.\n$/,
  );
  const [{ who, what, filter, reason, outcome } = {}] = auditOf(muted.stderr);
  assertEquals([who, what, reason, outcome], ["ann", "alerts.mute", "x", "done"]);
  assertEquals(filter, { rule: "oldest_age", subject: "shop.OrderEventHandler", for_seconds: "7200" });
  const { code, data } = await json(shop, "alerts", "list");
  assertEquals(code, 0);
  const [first, second] = data.alerts;
  assertEquals([data.count, first.muted, second.muted], [2, true, false]);
  assertEquals([first.rule, first.subject, first.state, first.since, first.value, first.threshold], [
    ...["oldest_age", "shop.OrderEventHandler", "firing", "1970-01-01T00:00:00.000Z"],
    ...[7, 5],
  ]);
  const [mute] = data.mutes;
  assertEquals([data.mutes.length, mute.rule, mute.subject, mute.by], [
    ...[1, "oldest_age", "shop.OrderEventHandler"],
    "ann",
  ]);
  const hours = (Date.parse(mute.until) - Date.now()) / 3_600_000;
  assertEquals(Math.round(hours), 2);
  assertMatch(
    (await shop.run(["alerts", "list"])).stdout,
    /firing, muted .*\n[^]*Muted until .*oldest_age shop.OrderEventHandler \(by ann\)\n$/,
  );

  const whole = await json(shop, "alerts", "mute", "check");
  assertEquals([whole.data.rule, whole.data.subject], ["check", null]);
  assertEquals(
    Math.round((Date.parse(whole.data.until) - Date.now()) / 3_600_000),
    1,
    "an hour unless it is said",
  );
  const ended = await shop.run(["alerts", "mute", "check", "--for", "0s"]);
  assertEquals(ended.stdout, "Not muted any more: check.\n");
  assertEquals((await json(shop, "alerts", "mute", "check", "--for", "0s")).data.until, null);
  assertEquals((await json(shop, "alerts", "list")).data.mutes.length, 1);
});

Deno.test("whoever lists alerts is told where [alerts] is off", async () => {
  await using shop = await ShopFolder.create();
  const { stdout, stderr } = await shop.run(["alerts", "list"]);
  assertEquals(stdout, "No alerts found.\n");
  assertStringIncludes(stderr, "[alerts] enabled is false: only the rule dlq_depth is watched.\n");
});

for (
  const [args, sentence] of [
    [["mute"], "Missing required argument 'rule'"],
    [["mute", "oldest_aeg"], "'rule'"],
    [["mute", "check", "pay", "--for", "soon"], "It is no time: give one as 30m, 2h or 1d."],
    [["mute", "check", "pay", "--for", "31d"], "for at most 30 days"],
    [["mute", "check", ""], "must not be empty"],
    [["lst"], "Did you mean list?"],
  ] as const
) {
  Deno.test(`alerts ${args.join(" ")} is refused in one sentence`, async () => {
    await using shop = await ShopFolder.create(TOML);
    const { code, stdout, stderr } = await shop.run(["alerts", ...args]);
    assertEquals([code, stdout], [2, ""], stderr);
    assertStringIncludes(stderr.toLowerCase(), sentence.toLowerCase());
  });
}
