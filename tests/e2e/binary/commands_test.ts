/**
 * Every command in the executable (design 12): with no file beside it, from a folder where nothing is, and on
 * a domain.toml.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Command } from "commander";
import { createCli } from "../../../lib/cli/cli.ts";
import { processIo } from "../../../lib/cli/io.ts";
import { buildProgram } from "../../../lib/cli/program.ts";
import { freePort } from "../../support/free_port.ts";
import { run } from "../run.ts";
import { type Finished, Installation } from "../server.ts";
import { binary } from "./binary.ts";

const DOMAIN = "--domain=my_domain";
const ORDER = '{"orderId":"o-1","amount":10}';
const HOPELESS = '{"orderId":"o-2","amount":50000}';

/**
 * The executable alone in a folder, and another folder to run it in; no domain.toml within two parents of
 * either.
 */
class Alone implements AsyncDisposable {
  private constructor(readonly home: string, readonly cwd: string, readonly program: string) {}

  static async create(): Promise<Alone> {
    const home = await Deno.makeTempDir({ prefix: "protean-alone-" });
    const [bin, cwd] = [`${home}/opt/protean/bin`, `${home}/srv/shop/work`];
    for (const folder of [bin, cwd]) await Deno.mkdir(folder, { recursive: true });
    await Deno.copyFile(binary(), `${bin}/protean-server`);
    await Deno.chmod(`${bin}/protean-server`, 0o755);
    return new Alone(home, cwd, `${bin}/protean-server`);
  }

  run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Finished> {
    return run(args, { cwd: this.cwd, env, program: [this.program] });
  }

  /** Runs what must succeed; returns its output. */
  async out(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
    const { code, out, err } = await this.run(args, env);
    assertEquals(code, 0, err);
    return out;
  }

  /** Names in a folder, sorted. */
  files(folder = this.cwd): string[] {
    return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.home, { recursive: true });
  }
}

/** Every command by the words that lead to it. */
function commands(at: Command, path: readonly string[] = []): (readonly string[])[] {
  return [path, ...at.commands.flatMap((child) => commands(child, [...path, child.name()]))];
}

Deno.test("--help begins with examples at every level, and exits 0", async () => {
  const program = buildProgram(createCli(processIo(), { domains: {}, config: () => Promise.resolve("") }));
  const all = commands(program);
  assert(all.length >= 20, `only ${all.length} commands were found`);
  for (const path of all) {
    const { code, out, err } = await run([...path, "--help"], { cwd: "/", program: [binary()] });
    assertEquals([code, err], [0, ""], path.join(" "));
    assertMatch(out, /^Examples:\n/, path.join(" "));
    assertStringIncludes(out, `Usage: ${["protean-server", ...path].join(" ")} `);
  }
});

Deno.test("with nothing but its name a domain keeps its databases in the current folder, or in PROTEAN_DATA_DIR", async () => {
  await using alone = await Alone.create();
  await alone.out(["db", "setup", DOMAIN]);
  assertEquals(alone.files(), ["my_domain-streams.db", "my_domain.db"]);
  const data = `${alone.home}/data`;
  await Deno.mkdir(data);
  await alone.out(["db", "setup", DOMAIN], { PROTEAN_DATA_DIR: data });
  assertEquals(alone.files(data), ["my_domain-streams.db", "my_domain.db"]);
  assertEquals(alone.files(`${alone.home}/opt/protean/bin`), ["protean-server"]);
});

Deno.test("every command that works on messages does so with nothing beside the executable", async () => {
  await using alone = await Alone.create();
  const once = async () => void await alone.out(["server", "--once", DOMAIN]);
  const letters = async () => JSON.parse(await alone.out(["dlq", "list", DOMAIN, "--json"])).data.messages;

  assertStringIncludes(await alone.out(["db", "setup", DOMAIN]), "created successfully");
  assertStringIncludes(await alone.out(["db", "setup-outbox", DOMAIN]), "created successfully");
  assertStringIncludes(await alone.out(["send", DOMAIN, "PlaceOrder", "--data", ORDER]), "1 sent, 0 refused");
  await Deno.writeTextFile(`${alone.cwd}/orders.jsonl`, `${ORDER.replace("o-1", "o-3")}\n\n${HOPELESS}\n`);
  const filed = await alone.out(["send", DOMAIN, "PlaceOrder", "--file", "orders.jsonl"]);
  assertStringIncludes(filed, "2 sent, 0 refused");
  assertStringIncludes(await alone.out(["send", DOMAIN, "PlaceOrder", "-"]), "0 sent, 0 refused");
  await once();

  const [letter] = await letters();
  assertStringIncludes(letter.failure_reason, "credit limit");
  const inspected = await alone.out(["dlq", "inspect", DOMAIN, letter.dlq_id]);
  assertStringIncludes(inspected, "o-2");
  assertStringIncludes(
    await alone.out(["dlq", "replay", DOMAIN, letter.dlq_id, "--dry-run"]),
    "Would replay",
  );
  assertStringIncludes(await alone.out(["dlq", "replay", DOMAIN, letter.dlq_id]), "Replayed");
  assertEquals(await letters(), []);
  await once();
  assertEquals((await letters()).map(({ replay_count }: { replay_count: number }) => replay_count), [1]);
  const purge = ["dlq", "purge", DOMAIN, "--subscription", "my_domain::order:command"];
  assertStringIncludes(await alone.out([...purge, "--dry-run"]), "Would purge 1");
  assertEquals((await alone.run(purge)).code, 2, "it purged without being told to");
  assertStringIncludes(await alone.out([...purge, "--yes"]), "Purged 1");
  assertEquals(await letters(), []);

  const sync = await alone.run(["send", DOMAIN, "PlaceOrder", "--sync", "--data", ORDER]);
  assertEquals(sync.code, 1, "an order was placed twice");
  assertStringIncludes(await alone.out(["db", "truncate", DOMAIN, "--yes"]), "truncated successfully");
  await alone.out(["send", DOMAIN, "PlaceOrder", "--sync", "--data", ORDER]);
  assertStringIncludes(await alone.out(["db", "drop", DOMAIN, "--yes"]), "dropped successfully");
});

Deno.test("check works in the executable, manifest and all, and leaves nothing behind", async () => {
  await using alone = await Alone.create();
  assertStringIncludes(await alone.out(["check", DOMAIN]), "All checks passed.");
  const manifest = `${alone.home}/deployment.yaml`;
  await Deno.writeTextFile(
    manifest,
    "kind: Deployment\nmetadata: { name: shop }\nspec:\n  template:\n    spec:\n" +
      "      terminationGracePeriodSeconds: 1\n      containers: [{ image: protean-server }]\n",
  );
  const told = await alone.run(["check", DOMAIN, "--connect", `--manifest=${manifest}`, "--format=sarif"]);
  assertEquals(told.code, 1, told.err);
  const { results } = JSON.parse(told.out).runs[0];
  assert(results.some(({ ruleId }: { ruleId: string }) => ruleId === "MANIFEST_GRACE_PERIOD"), told.out);
  assertEquals(alone.files(), []);
});

Deno.test("config, completion and version need no domain and no file", async () => {
  await using alone = await Alone.create();
  assertStringIncludes(await alone.out(["config", "print"]), "[server.health]");
  assertMatch(
    await alone.out(["config", "print", "--origin"]),
    /port = 8080\s+# from the embedded domain\.toml:\d+/,
  );
  assertEquals(typeof JSON.parse(await alone.out(["config", "schema"])).properties.server, "object");
  for (
    const [shell, mark] of [["bash", "complete "], ["zsh", "#compdef"], ["fish", "complete -c"]] as const
  ) {
    assertStringIncludes(await alone.out(["completion", shell]), mark);
  }
  const { version, deno, commit, standalone } = JSON.parse(await alone.out(["version", "--json"])).data;
  const { version: ours } = JSON.parse(
    await Deno.readTextFile(new URL("../../../deno.json", import.meta.url)),
  );
  assertEquals([version, standalone], [ours, true]);
  assertMatch(deno, /^\d+\.\d+\.\d+$/);
  assert(commit === null || /^[0-9a-f]{40}(-dirty)?$/.test(commit), commit);
  assertEquals(await alone.out(["--version"]), `protean-server ${ours}\n`);
  assertEquals(alone.files(), []);
});

Deno.test("a domain.toml beside the executable is used, one in the current folder before it, and --config before both", async () => {
  await using alone = await Alone.create();
  const port = async (args: readonly string[] = []) =>
    JSON.parse(await alone.out(["config", "print", DOMAIN, "--json", ...args])).data.config.server.health
      .port;
  assertEquals(await port(), 8080);
  await Deno.writeTextFile(`${alone.home}/srv/domain.toml`, "[server.health]\nport = 8100\n");
  assertEquals(await port(), 8100, "two folders above the current one");
  const bin = `${alone.home}/opt/protean/bin`;
  await Deno.writeTextFile(`${bin}/domain.toml`, "[server.health]\nport = 8101\n");
  assertEquals(await port(), 8101);
  await alone.out(["db", "setup", DOMAIN]);
  assertEquals(alone.files(bin), ["domain.toml", "my_domain-streams.db", "my_domain.db", "protean-server"]);
  await Deno.writeTextFile(`${alone.cwd}/domain.toml`, "[server.health]\nport = 8102\n");
  assertEquals(await port(), 8102);
  await Deno.writeTextFile(`${alone.cwd}/shop.toml`, "[server.health]\nport = 8103\n");
  assertEquals(await port(["--config", "shop.toml"]), 8103);
});

Deno.test("healthcheck asks the server of the configuration: exit 0 while it lives, 1 when it does not", async () => {
  await using installation = await Installation.create();
  const silent = await installation.command(["healthcheck"]);
  assertEquals(silent.code, 1, silent.err);
  const server = await installation.start();
  const alive = await installation.command(["healthcheck"]);
  assertEquals(alive.code, 0, alive.err);
  const ready = await installation.run([
    "healthcheck",
    "--url",
    `http://127.0.0.1:${installation.port}/readyz`,
  ]);
  assertEquals(ready.code, 0, ready.err);
  const elsewhere = await installation.run(["healthcheck", "--url", `http://127.0.0.1:${freePort()}/livez`]);
  assertEquals(elsewhere.code, 1, elsewhere.err);
  assertEquals(await server.end("SIGTERM"), 0);
});

Deno.test("demo runs a thousand orders, ends with exit 0, and leaves nothing behind", async () => {
  await using alone = await Alone.create();
  const temporary = `${alone.home}/tmp`;
  await Deno.mkdir(temporary);
  const out = await alone.out(["demo"], { TMPDIR: temporary });
  assertStringIncludes(out, "1,000 orders sent");
  assertStringIncludes(out, "exit code 0");
  assertMatch(out, /\nPayload:\n\{\n {2}"data": \{/);
  assertEquals([alone.files(), alone.files(temporary)], [[], []]);
});

Deno.test("healthcheck asks directly, on IPv6 too, whatever the proxy variables say (healthcheck-proxy, probe-ipv6)", async () => {
  await using installation = await Installation.create("");
  await using server = Deno.serve({ hostname: "::", port: 0, onListen() {} }, () => new Response("alive"));
  const env = Object.fromEntries(
    ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].map((name) => [name, "http://127.0.0.1:1"]),
  );
  for (const host of ["[::1]", "127.0.0.1"]) {
    const url = `http://${host}:${server.addr.port}/livez`;
    const { code, out, err } = await installation.run(["healthcheck", "--url", url], {
      env: { ...env, NODE_USE_ENV_PROXY: "1" },
    });
    assertEquals([code, out], [0, "alive\n"], err);
  }
});
