/**
 * `new` from outside: the domain that it writes runs at once, from source and in the executable, and its tests
 * and settings hold with nothing but what the folder has.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { until } from "../support/until.ts";
import { run } from "./run.ts";
import { program } from "./server.ts";

const ENV = {
  DATABASE_URL: "postgresql://s@127.0.0.1:1/s",
  REDIS_URL: "redis://127.0.0.1:1/0",
  HEALTH_PORT: "0",
};

let home: string;
/** The domain `my_shop`, as it was written. */
let shop: string;

Deno.test.beforeAll(async () => {
  home = await Deno.makeTempDir({ prefix: "protean-new-" });
  shop = `${home}/my-shop`;
  const { code, err } = await run(["new", "my-shop"], { cwd: home });
  assertEquals(code, 0, err);
});

Deno.test.afterAll(() => Deno.remove(home, { recursive: true }));

/** Runs a command in the folder of the domain. */
const inShop = (...args: string[]) => run(args, { cwd: shop, env: ENV });

/** Runs Deno in the folder of the domain. */
async function deno(...args: string[]): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), { args, cwd: shop, env: { NO_COLOR: "1" } });
  const { success, stdout, stderr } = await command.output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert(success, `deno ${args.join(" ")}: ${said}`);
  return said;
}

Deno.test("the new domain handles what is sent to it, without any package", async () => {
  for (const [orderId, amount] of [["o-1", 10], ["o-2", 20_000]]) {
    const sent = await inShop("send", "PlaceOrder", "--data", JSON.stringify({ orderId, amount }));
    assertEquals(sent.code, 0, sent.err);
  }
  const served = await inShop("server", "--once");
  assertEquals(served.code, 0, served.err);
  assertStringIncludes(served.err, "Order o-1 over 10 is on its way.");
  const listed = await inShop("dlq", "list", "--json");
  const [letter, ...others] = JSON.parse(listed.out).data.messages;
  assertEquals(others, []);
  assertStringIncludes(letter.failure_reason, "Order o-2 exceeds the credit limit of 10000");
});

Deno.test("check finds nothing about the new domain, nor about what it is deployed with", async () => {
  const plain = await inShop("check");
  assertEquals([plain.code, plain.err], [0, ""], plain.out);
  assertStringIncludes(plain.out, "All checks passed.");
  const base = "deploy/kubernetes/base";
  const deployed = await inShop(
    "check",
    `--config=${base}/domain.toml`,
    `--manifest=${base}/deployment.yaml`,
    "--replicas=2",
  );
  assertEquals([deployed.code, deployed.err], [0, ""], deployed.out);
  assertStringIncludes(deployed.out, "All checks passed.");
});

Deno.test("the new domain is formatted, passes the linter, and its test passes by the lock that came with it", async () => {
  await deno("fmt", "--check");
  await deno("lint");
  // The types of the same text are checked in examples/new-domain.
  const said = await deno("test", "-A", "--no-check", "--frozen");
  assertStringIncludes(said, "2 passed");
});

Deno.test("the new domain's own program runs from source by its deno.json", async () => {
  const main = await Array.fromAsync(Deno.readDir(shop)).then((all) =>
    all.find(({ name }) => /^main\./.test(name))?.name ?? ""
  );
  const said = await deno("run", "-A", "--no-check", "--frozen", main, "check", "--domain=my_shop");
  assertStringIncludes(said, "Domain: my_shop  PASS");
});

Deno.test("killed half-way, new leaves the whole folder or none", async () => {
  const [command = "", ...before] = program();
  const child = new Deno.Command(command, {
    args: [...before, "new", "cut"],
    cwd: home,
    stdout: "null",
    stderr: "null",
  }).spawn();
  let ended = false;
  void child.status.then(() => ended = true);
  const names = () => [...Deno.readDirSync(home)].map(({ name }) => name);
  await until(() => ended || names().some((name) => /^(\.protean-new-|cut)/.test(name)), "new to write", {
    every: 1,
  });
  if (!ended) child.kill("SIGKILL");
  await child.status;
  const whole = names().includes("cut");
  const again = await run(["new", "cut"], { cwd: home });
  assertEquals(again.code, whole ? 2 : 0, again.err);
  await Deno.stat(`${home}/cut/vendor/protean-server/lib/zod.ts`);
});
