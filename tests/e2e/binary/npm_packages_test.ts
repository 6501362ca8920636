/**
 * Packages of a domain on disk: they come from the node_modules beside it or above, as far as the platform
 * goes (docs/guides/domains-on-disk.md); those inside of the executable are its own affair.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { copyFolder } from "../copy_folder.ts";
import { withFiles } from "../files.ts";
import { run, sentence } from "../run.ts";
import { binary, builtWithDeno2 } from "./binary.ts";

/** Packages by their files, as an `npm install` leaves them. */
const PACKAGES = {
  "node_modules/pure/package.json":
    '{ "name": "pure", "version": "1.0.0", "type": "module", "exports": { ".": "./main.js", "./part": "./lib/part.js" } }',
  "node_modules/pure/main.js": 'import { deep } from "deep"; export const pure = `pure and ${deep}`;',
  "node_modules/pure/lib/part.js": 'import { sep } from "node:path"; export const part = sep;',
  "node_modules/deep/package.json":
    '{ "name": "deep", "version": "1.0.0", "type": "module", "main": "deep.js" }',
  "node_modules/deep/deep.js": 'export const deep = "deep";',
  "node_modules/common/package.json": '{ "name": "common", "version": "1.0.0" }',
  "node_modules/common/index.js": 'const path = require("node:path"); exports.common = path.sep;',
  "node_modules/typed/package.json":
    '{ "name": "typed", "version": "1.0.0", "type": "module", "main": "typed.ts" }',
  "node_modules/typed/typed.ts": 'export const typed: string = "typed";',
} as const;

const LIBRARY = 'import { Domain } from "@protean/server";\n';

/** Runs a command on a domain of this text, in the folder `shop` below one with these packages. */
function withPackages(
  text: string,
  test: (found: Awaited<ReturnType<typeof run>>, folder: string) => void | Promise<void>,
  files: Readonly<Record<string, string>> = {},
): Promise<void> {
  return withFiles({ ...PACKAGES, "shop/domain.js": text, ...files }, async (cwd) => {
    const found = await run(["db", "setup", "--domain=./shop"], { cwd, program: [binary()] });
    await test(found, cwd);
  });
}

Deno.test("pure ES modules are found in a node_modules above, with their own dependencies, exports and npm: names", () =>
  withPackages(
    `${LIBRARY}import { pure } from "pure"; import { part } from "pure/part"; import * as again from "npm:pure@1";
     export const domain = new Domain([pure, part, again.pure === pure].join(" ").replace(/\\W+/g, "_"));`,
    async ({ code, err }, folder) => {
      assertEquals(code, 0, err);
      // The name says what was imported, and is seen in that of the database.
      assertEquals((await Deno.stat(`${folder}/pure_and_deep_true.db`)).isFile, true);
    },
  ));

Deno.test("the imports of the user's package.json are followed, those of a deno.json are not", async () => {
  const files = {
    "shop/name.js": 'export const name = "named";',
    "shop/package.json": '{ "name": "shop", "imports": { "#name": "./name.js" } }',
    "shop/deno.json": '{ "imports": { "mapped": "./name.js" } }',
  };
  await withPackages(
    `${LIBRARY}import { name } from "#name"; export const domain = new Domain(name);`,
    ({ code, err }) => assertEquals(code, 0, err),
    files,
  );
  await withPackages(
    'import "mapped";',
    (ended) => assertStringIncludes(sentence(ended), "imports the package 'mapped'"),
    files,
  );
});

Deno.test("zod of the user's own validates what a disk domain takes", async () => {
  const zod = dirname(fileURLToPath(import.meta.resolve("zod")));
  const text = `${LIBRARY}import { on } from "@protean/server"; import { z } from "zod";
    export const domain = new Domain("shop");
    const Order = domain.aggregate("Order", { schema: z.object({ id: z.string() }) });
    const Place = domain.command("Place", { partOf: Order, schema: z.object({ id: z.string().min(3) }) });
    domain.commandHandler("Placing", { partOf: Order, handles: [
      on(Place, async ({ id }, ctx) => { await ctx.repository(Order).add(Order.create({ id })); }),
    ] });`;
  const files = { ...PACKAGES, "shop/domain.js": text };
  await withFiles(files, async (cwd) => {
    await copyFolder(zod, `${cwd}/node_modules/zod`);
    const how = { cwd, program: [binary()] };
    const sent = await run(["send", "Place", "--sync", "--data", '{"id":"o-1"}', "--domain=./shop"], how);
    assertEquals(sent.code, 0, sent.err);
    const refused = await run(["send", "Place", "--data", '{"id":"o"}', "--domain=./shop"], how);
    assertEquals(refused.code, 1, refused.err);
    assertStringIncludes(refused.err, "line 1: ");
  });
});

for (const name of ["zod", "ioredis", "postgres", "@logtape/logtape", "commander", "@std/toml"]) {
  Deno.test(`the executable's own ${name} is not lent to a domain on disk that forgot to install it`, () =>
    withPackages(`import "${name}";`, (ended) => {
      assertEquals(ended.code, 2, ended.err);
      assertStringIncludes(
        sentence(ended),
        `/shop/domain.js' imports the package '${name}', which is in no node_modules`,
      );
    }));
}

for (
  const [what, text, words] of [
    ["code from the network", 'import "https://example.com/x.js";', "loads no code from the network"],
    ["what the machine is", "Deno.osRelease();", 'needs sys access to "osRelease"'],
  ] as const
) {
  Deno.test(`${what} is beyond the executable: one sentence, exit 2`, () =>
    withPackages(text, (ended) => {
      assertEquals(ended.code, 2, ended.err);
      assertStringIncludes(sentence(ended), words);
    }));
}

for (
  const [what, text, words] of [
    ["a CommonJS package", 'import "common";', "/node_modules/common/index.js' is CommonJS"],
    [
      "an export of a CommonJS package",
      'import { common } from "common";',
      "perhaps because that package is CommonJS",
    ],
    ["a CommonJS domain", 'require("node:path");', "/shop/domain.js' is CommonJS"],
    ["a package of TypeScript sources", 'import "typed";', "/node_modules/typed/typed.ts' is TypeScript"],
  ] as const
) {
  Deno.test(`${what} is beyond a runtime before Deno 2.9, and beyond later ones perhaps: one sentence, exit 2`, () =>
    withPackages(`${LIBRARY}${text} export const domain = new Domain("shop");`, async (ended) => {
      if (await builtWithDeno2(9) && ended.code === 0) return;
      assertEquals(ended.code, 2, ended.err);
      assertStringIncludes(sentence(ended), words);
    }));
}

Deno.test("a bundle carries CommonJS packages", () =>
  withFiles({
    ...PACKAGES,
    "shop/domain.js":
      `${LIBRARY}import { common } from "common"; export const domain = new Domain(common === "/" ? "bundled" : "wrong");`,
    "out/readme": "",
  }, async (cwd) => {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...[
          "bundle",
          "--quiet",
          "--platform=deno",
          "--external=@protean/server",
          "--node-modules-dir=manual",
        ],
        ...["--output", `${cwd}/out/domain.js`, "shop/domain.js"],
      ],
      cwd,
    }).output();
    assertEquals(success, true, new TextDecoder().decode(stderr));
    await Deno.remove(`${cwd}/node_modules`, { recursive: true });
    const { code, err } = await run(["db", "setup", "--domain=./out"], { cwd, program: [binary()] });
    assertEquals(code, 0, err);
    assertEquals((await Deno.stat(`${cwd}/bundled.db`)).isFile, true);
  }));
