/** Goes through `docs/guides/dead-letters.md`, command by command. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Domain, Engine, on } from "@protean/server";
import { z } from "zod";
import { join } from "node:path";
import { loadConfig } from "../../lib/config/load.ts";
import { main } from "../../lib/cli/mod.ts";
import { words } from "../support/guide.ts";
import { recordingIo } from "../unit/cli/support.ts";

const GUIDE = new URL("../../docs/guides/dead-letters.md", import.meta.url);
const ID = "1795356754518-0";
const FINGERPRINT = "3f2a9c01d4e5";
const OPERATION = "0b8f4d52-6a1c-4f0e-9d55-3c1f2a7e9b10";

/** The lines of the page's blocks of one language. */
async function blocks(language: string): Promise<string[]> {
  const text = await Deno.readTextFile(GUIDE);
  return [...text.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"))]
    .flatMap(([, block = ""]) => block.trimEnd().split("\n"));
}

function shop(handler: { broken: boolean }): Domain {
  const domain = new Domain("shop");
  const schema = z.object({ id: z.string() });
  const Order = domain.aggregate("Order", { schema });
  const PlaceOrder = domain.command("PlaceOrder", { partOf: Order, schema });
  domain.commandHandler("OrderCommandHandler", {
    partOf: Order,
    subscriptionConfig: { maxRetries: 1, claimIntervalMs: 50 },
    handles: [on(PlaceOrder, async ({ id }, ctx) => {
      if (handler.broken) throw new RangeError(`${id} is out of range`);
      await ctx.repository(Order).add(Order.create({ id }));
    })],
  });
  return domain;
}

Deno.test("the guide's commands lead from an alert to a replay", async () => {
  const folder = await Deno.makeTempDir();
  const handler = { broken: true };
  const run = async (args: readonly string[], stdin = "") => {
    const io = recordingIo({ cwd: folder, stdin });
    const code = await main({ domains: { shop: shop(handler) }, args, io });
    return { code, stdout: io.stdout, stderr: io.stderr };
  };
  const given = async (...ids: string[]) => {
    handler.broken = true;
    const lines = ids.map((id) => `{"id":"${id}"}\n`).join("");
    assertEquals((await run(["send", "--domain=shop", "PlaceOrder", "-"], lines)).code, 0);
    assertEquals((await run(["server", "--domain=shop", "--once"])).code, 0);
  };
  const listed = async (): Promise<string[]> => {
    const { stdout } = await run(["dlq", "list", "--domain=shop", "--json"]);
    return JSON.parse(stdout).data.messages.map(({ dlq_id }: { dlq_id: string }) => dlq_id);
  };
  const newestOperation = async (): Promise<string> => {
    const { stdout } = await run(["operations", "list", "--domain=shop", "--limit", "1", "--json"]);
    return JSON.parse(stdout).data.operations[0].id;
  };
  try {
    await Deno.writeTextFile(join(folder, "domain.toml"), "[server.health]\nenabled = false\n");
    await given("o-1", "o-2", "o-3", "o-4");
    const done: string[] = [];
    const figures = JSON.parse((await run(["dlq", "stats", "--domain=shop", "--json"])).stdout);
    const [group] = figures.data.queues.flatMap(({ groups }: { groups: unknown[] }) => groups);
    for (const line of await blocks("shell")) {
      const args = words(line).slice(1).map((word) => word === FINGERPRINT ? group.fingerprint : word);
      const { code, stdout, stderr } = await run(args);
      assertEquals(code, 0, `${line}\n${stdout}${stderr}`);
      done.push(stdout.trimEnd());
    }
    for (const line of await blocks("sh")) {
      const [program, ...args] = words(line);
      assertEquals(program, "protean-server", line);
      const [, verb] = args;
      // What is replayed by its id is handled by a server that runs only for the canary.
      if (verb === "discard") await given("o-5", "o-6");
      const [newest = ""] = await listed();
      const canary = args.includes("--canary");
      if (canary) handler.broken = false;
      const stop = new AbortController();
      const served = canary ? await serve(shop(handler), folder, stop.signal) : undefined;
      const operation = args.includes(OPERATION) ? await newestOperation() : "";
      const { code, stdout, stderr } = await run(
        args.map((arg) => arg === ID ? newest : arg === OPERATION ? operation : arg),
      );
      stop.abort();
      await served?.ended;
      // What was replayed and is not handled yet.
      if (canary) assertEquals((await run(["server", "--domain=shop", "--once"])).code, 0);
      assertEquals(code, 0, `${line}\n${stdout}${stderr}`);
      done.push(
        `${args[0] === "operations" ? "operations " : ""}${verb}: ${stdout.trimEnd().split("\n").at(-1)}`,
      );
    }
    const said = done.join("\n");
    for (
      const part of [
        `Noted group '${group.fingerprint}'.`,
        `Removed the note on group '${group.fingerprint}'.`,
        "list: 4 DLQ message(s) found.",
        "replay-all: Would replay 3 message(s).",
        "replay-all: Replayed 3 message(s).",
        "discard: Discarded 2 message(s) from DLQ.",
        "restore: Restored 2 message(s) to DLQ.",
        "list: Exported 2 message(s) to 'letters.jsonl'.",
        "purge: Purged 2 message(s) from DLQ.",
        "import: Imported 2 message(s) to DLQ, refused 0.",
        "operations list: ",
        "operations pause: Paused the operation",
        "operations resume: The operation is done: 4 message(s) discarded.",
        "operations show: Ended: ",
        "replay: Would send 0 message(s) to OrderCommandHandler.",
        "replay: Sent 0 message(s) to OrderCommandHandler.",
        " change(s) found.",
      ]
    ) assertStringIncludes(said, part);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Runs the domain until `signal` aborts. */
async function serve(domain: Domain, folder: string, signal: AbortSignal) {
  const runner = new Engine(domain);
  await domain.init({ config: join(folder, "domain.toml"), env: "" });
  return { ended: runner.run({ signal }).finally(() => domain.close()) };
}

Deno.test("the guide's configuration is one", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "domain.toml");
    await Deno.writeTextFile(path, (await blocks("toml")).join("\n"));
    const variables = (name: string) => name === "SLACK_DLQ_WEBHOOK" ? "http://127.0.0.1:9/" : undefined;
    const { config, warnings } = await loadConfig({ domain: "shop", config: path, env: "", variables });
    assert(config.server.dlq.enabled);
    assertEquals([config.server.dlq.discard_keep_hours, warnings], [168, []]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
