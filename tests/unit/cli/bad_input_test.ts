/**
 * What users get wrong: each case is one clear sentence per problem, without a stack, and the right exit
 * code.
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Domain, on } from "@protean/server";
import { join } from "node:path";
import { z } from "zod";
import { main } from "../../../lib/cli/mod.ts";
import { ShopFolder } from "./shop.ts";
import { recordingIo, type Surroundings } from "./support.ts";

const DOMAIN = 'import { Domain } from "@protean/server";\n';

interface Case {
  readonly what: string;
  readonly message: string;
  readonly args?: readonly string[];
  /** Text of domain.toml. */
  readonly toml?: string;
  /** Text of shop.ts, for `--domain=./shop.ts`. */
  readonly module?: string;
  /** Compiled in as `shop`. */
  readonly domain?: Domain;
  readonly surroundings?: Surroundings;
  readonly prepare?: (folder: string) => Promise<unknown>;
}

function asynchronousSchema(): Domain {
  const domain = new Domain("shop");
  const Order = domain.aggregate("Order", { schema: z.object({ id: z.string() }) });
  const schema = z.object({ id: z.string().refine(() => Promise.resolve(true)) });
  domain.event("OrderPlaced", { partOf: Order, schema });
  return domain;
}

function twoHandlers(): Domain {
  const domain = new Domain("shop");
  const Order = domain.aggregate("Order", { schema: z.object({ id: z.string() }) });
  const Place = domain.command("Place", { partOf: Order, schema: z.object({ id: z.string() }) });
  domain.commandHandler("First", { partOf: Order, handles: [on(Place, () => {})] });
  domain.commandHandler("Second", { partOf: Order, handles: [on(Place, () => {})] });
  return domain;
}

function unknownProfile(): Domain {
  const domain = new Domain("shop");
  const Order = domain.aggregate("Order", { schema: z.object({ id: z.string() }) });
  const Placed = domain.event("Placed", { partOf: Order, schema: z.object({ id: z.string() }) });
  domain.eventHandler("Mailer", {
    partOf: Order,
    subscriptionProfile: "prodction",
    handles: [on(Placed, () => {})],
  });
  return domain;
}

const cases: readonly Case[] = [
  { what: "an empty domain", args: ["--domain", ""], message: "'--domain <domain>' argument '' is invalid" },
  { what: "a blank domain", args: ["config", "print", "--domain= "], message: "it must not be empty" },
  { what: "an unknown domain", args: ["--domain=shpo"], message: "Did you mean 'shop'?" },
  { what: "a module without a Domain", module: "export const a = 1;", message: "exports no Domain" },
  {
    what: "a module with two Domains",
    module: `${DOMAIN}export const a = new Domain("a"), b = new Domain("b");`,
    message: "exports 2 domains, 'a', 'b'",
  },
  { what: "a module that throws on import", module: 'throw new Error("no licence");', message: "no licence" },
  {
    what: "a --config that does not exist",
    args: ["--domain=shop", "--config", "nope.toml"],
    message: "nope.toml",
  },
  { what: "a malformed domain.toml", toml: "[server\n", message: "domain.toml:1: Not valid TOML" },
  {
    what: "an unreadable domain.toml",
    prepare: (folder) => Deno.mkdir(join(folder, "domain.toml")),
    message: "domain.toml",
  },
  {
    what: "an unknown key",
    toml: "[server]\nmesages_per_tick = 5\n",
    message: "domain.toml:2: Unknown key 'server.mesages_per_tick'",
  },
  { what: "a wrong type", toml: '[server]\ntick_interval = "x"\n', message: "domain.toml:2:" },
  {
    what: "a missing variable",
    toml: '[databases.default]\nprovider = "sqlite"\ndatabase_uri = "${NO_SUCH_VARIABLE}"\n',
    message: "NO_SUCH_VARIABLE",
  },
  { what: "a schema that validates asynchronously", domain: asynchronousSchema(), message: "OrderPlaced" },
  { what: "two handlers for one command", domain: twoHandlers(), message: "Place" },
  { what: "an unknown profile", domain: unknownProfile(), message: "prodction" },
  {
    what: "a database file in a folder that is not there",
    toml: '[databases.default]\nprovider = "sqlite"\ndatabase_uri = "sqlite:///nowhere/shop.db"\n',
    message: "nowhere",
  },
  {
    what: "a corrupt database file",
    prepare: (folder) => Deno.writeFile(join(folder, "shop.db"), new Uint8Array(9_000).fill(7)),
    message: "shop.db",
  },
  {
    what: "an unknown log level in the environment",
    surroundings: { env: { PROTEAN_LOG_LEVEL: "loud" } },
    message: "PROTEAN_LOG_LEVEL is 'loud'",
  },
];

for (const { what, message, args, toml, module, domain, surroundings, prepare } of cases) {
  Deno.test(`${what} is exit 2, without a stack`, async () => {
    const cwd = await Deno.makeTempDir({ prefix: "protean-bad-" });
    try {
      if (toml !== undefined) await Deno.writeTextFile(join(cwd, "domain.toml"), toml);
      if (module !== undefined) await Deno.writeTextFile(join(cwd, "shop.ts"), module);
      await prepare?.(cwd);
      const io = recordingIo({ cwd, ...surroundings });
      const given = args ?? (module === undefined ? ["--domain=shop"] : ["--domain=./shop.ts"]);
      const domains = { shop: domain ?? new Domain("shop") };
      const code = await main({ domains, args: [...given, "--once"], io });
      assertEquals(code, 2, io.stderr);
      assertStringIncludes(io.stderr, message);
      assertMatch(io.stderr, /^Error: /m);
      assertEquals(/\n\s+at /.test(io.stderr), false, io.stderr);
    } finally {
      await Deno.remove(cwd, { recursive: true });
    }
  });
}

Deno.test("a port that is taken is an error in the log, and the server runs on", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  await using shop = await ShopFolder.create(`[server.health]\nport = ${port}\n`);
  await shop.run(["send", "PlaceOrder", "--data", '{"orderId":"o-1","amount":1}']);
  const { code, stderr } = await shop.run(["server", "--once"]);
  assertEquals([code, shop.handled], [0, ["o-1"]], stderr);
  const events = stderr.trim().split("\n").map((line) => JSON.parse(line));
  const taken = events.find(({ event }) => event === "health.port_unavailable");
  assertEquals([taken?.level, taken?.port], ["error", port]);
  const required = await shop.run(["server", "--once", "--require-dependencies"]);
  assertEquals(required.code, 2);
  assertStringIncludes(required.stderr, String(port));
  listener.close();
});
