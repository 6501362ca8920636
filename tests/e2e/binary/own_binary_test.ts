/**
 * A team's own executable: `examples/own-binary`, copied elsewhere, compiled as its deno.json says on the library
 * that `deno task pack` makes, and run.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import library from "../../../deno.json" with { type: "json" };
import { pack } from "../../../tools/pack.ts";
import { unpack } from "../../support/unpacked.ts";
import { Installation } from "../server.ts";

const root = new URL("../../../", import.meta.url).pathname;
const example = `${root}examples/own-binary/`;
/** What building and running leave in the example's folder; it is not part of it. */
const BUILT = /^(deno\.lock|shop|shop.*\.db.*)$/;
const NINETY_MINUTES = 90 * 60_000;

let home: string;
/** The copy of the example. */
let source: string;
/** The executable, with nothing beside it and no domain.toml in the two folders above. */
let shop: string;

Deno.test.beforeAll(async () => {
  home = await Deno.makeTempDir({ prefix: "protean-own-" });
  source = await copyExample();
  // Which is what `deno task compile` does, with one Deno for both.
  await deno(["task", "bundle"]);
  await deno(["task", "embed"], Deno.env.get("DENO_COMPILE") || Deno.execPath());
  shop = await install("alone", `${source}/shop`);
});

Deno.test.afterAll(() => Deno.remove(home, { recursive: true }));

/** Runs Deno in the copy. */
async function deno(args: readonly string[], program = Deno.execPath()): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args: [...args], cwd: source }).output();
  if (!success) throw new Error(`deno ${args.join(" ")} failed: ${new TextDecoder().decode(stderr)}`);
}

/** The example as a team has it: beside the library's tarball, unpacked. */
async function copyExample(): Promise<string> {
  const folder = `${home}/source`;
  await Deno.mkdir(folder);
  for await (const { name, isFile } of Deno.readDir(example)) {
    if (isFile && !BUILT.test(name)) await Deno.copyFile(example + name, `${folder}/${name}`);
  }
  await unpack(await pack(), `${folder}/vendor`);
  const manifest = JSON.parse(await Deno.readTextFile(`${folder}/deno.json`));
  manifest.links = ["./vendor/protean-server"];
  await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify(manifest));
  return folder;
}

/**
 * Returns the path of the executable in a folder of its own, with this domain.toml beside it or with none.
 */
async function install(name: string, executable: string, config?: string): Promise<string> {
  const folder = `${home}/installed/${name}`;
  await Deno.mkdir(folder, { recursive: true });
  if (config !== undefined) await Deno.writeTextFile(`${folder}/domain.toml`, config);
  await Deno.copyFile(executable, `${folder}/shop`);
  return `${folder}/shop`;
}

/** A folder of its own to run in, on the configuration that the executable carries. */
function installation(program = shop): Promise<Installation> {
  return Installation.create("", { domain: "shop", program: [program], embedded: true });
}

/** What the handlers have written, by the id of each row. */
function rows(at: Installation, table: string): Record<string, unknown>[] {
  const database = new DatabaseSync(`${at.folder}/shop.db`, { readOnly: true });
  try {
    const all = database.prepare(`select state from ${table} order by id`).all();
    return all.map(({ state }) => JSON.parse(String(state)));
  } finally {
    database.close();
  }
}

Deno.test("a team's sources pass the type check under their own deno.json, with every export of the library", async () => {
  const imports = Object.keys(library.exports).map((name) => `import "${library.name}${name.slice(1)}";\n`);
  await Deno.writeTextFile(`${source}/exports.ts`, imports.join(""));
  await deno(["check", "main.ts", "library.ts", "exports.ts"]);
});

Deno.test("a team's executable says that it is one", async () => {
  await using at = await installation();
  const { code, out, err } = await at.run(["version", "--json"]);
  assertEquals(code, 0, err);
  assertEquals(JSON.parse(out).data.standalone, true);
});

Deno.test("a team's executable handles what is sent to its domain, with a package of its own, and drains on SIGTERM", async () => {
  await using at = await installation();
  const server = await at.start();
  const began = Date.now();
  for (
    const [message, data] of [
      ["ReceiveStock", { sku: "mug", quantity: 5 }],
      ["ReserveStock", { reservationId: "r-1", sku: "mug", quantity: 2, holdFor: "1h 30m" }],
    ] as const
  ) {
    const sent = await at.command(["send", message, "--data", JSON.stringify(data)]);
    assertEquals(sent.code, 0, sent.err);
  }
  await server.until(() => rows(at, "protean_shop_view_reservation").length === 1, "the reservation");
  const ended = Date.now();
  assertEquals(rows(at, "protean_shop_item"), [{ id: "mug", free: 3 }]);
  const [reservation] = rows(at, "protean_shop_view_reservation");
  const { until, ...rest } = reservation ?? {};
  assertEquals(rest, { id: "r-1", sku: "mug", quantity: 2 });
  const reserved = Date.parse(String(until)) - NINETY_MINUTES;
  assert(began <= reserved && reserved <= ended, `'1h 30m' was read as until ${until}, reserved by ${ended}`);
  assertEquals(await server.end("SIGTERM"), 0, await server.log());
});

Deno.test("the domain.toml compiled into a team's executable is in force where none is found", async () => {
  await using at = await installation();
  const { code, out, err } = await at.command(["config", "print", "--origin"]);
  assertEquals(code, 0, err);
  assertStringIncludes(out, "drain_timeout_seconds = 20 ");
  assertStringIncludes(out, "# from the embedded domain.toml:");
});

Deno.test("a domain.toml beside a team's executable replaces the embedded one whole", async () => {
  const program = await install("configured", shop, "[server.health]\nport = 8181\n");
  await using at = await installation(program);
  const { code, out, err } = await at.command(["config", "print", "--origin"]);
  assertEquals(code, 0, err);
  assertStringIncludes(out, "port = 8181 ");
  assert(/^drain_timeout_seconds = 10 +# default$/m.test(out), out);
  assert(!out.includes("embedded"), out);
});

Deno.test("a team's executable knows no domain but its own, and says which that is", async () => {
  await using at = await installation();
  const { code, out, err } = await at.run(["server", "--domain=my_domain"]);
  assertEquals(code, 2, err);
  assertEquals(out, "");
  assertEquals(
    err.trimEnd(),
    "Error: There is no domain 'my_domain' (--domain): it is neither compiled in nor a file or folder. Compiled in: shop.",
  );
});

Deno.test("a domain on disk gets the very library of a team's executable", async () => {
  await using at = await installation();
  await Deno.writeTextFile(
    `${at.folder}/returns.js`,
    `import { Domain } from "@protean/server";
     const any = { "~standard": { version: 1, vendor: "none", validate: (value) => ({ value }) } };
     export const returns = new Domain("returns");
     const Parcel = returns.aggregate("Parcel", { schema: any });
     returns.event("ParcelReturned", { partOf: Parcel, schema: any });`,
  );
  const sent = await at.run(["send", "--domain=./returns.js", "ParcelReturned", "--data", '{"id":"p-1"}']);
  assertEquals(sent.code, 0, sent.err);
});
