import { assertEquals, assertMatch, assertRejects, assertStrictEquals } from "@std/assert";
import { dirname, join } from "node:path";
import { Domain } from "@protean/server";
import { createCli } from "../../../lib/cli/cli.ts";
import { loadDomain } from "../../../lib/cli/load_domain.ts";
import { DomainLoadError } from "../../../lib/errors.ts";
import { recordingIo } from "./support.ts";

/** Loads `--domain` in a folder with `files`. */
async function load(files: Readonly<Record<string, string>>, wanted: string, compiled: Domain[] = []) {
  const folder = await Deno.makeTempDir({ prefix: "domän mit " });
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.mkdir(dirname(join(folder, name)), { recursive: true });
      await Deno.writeTextFile(join(folder, name), text);
    }
    const domains = Object.fromEntries(
      compiled.map((domain) => [domain.name, () => Promise.resolve(domain)]),
    );
    const cli = createCli(recordingIo({ cwd: folder }), {
      domains,
      config: () => Promise.resolve(undefined),
    });
    const found = await loadDomain(cli, { domain: wanted });
    return { domain: found.domain, folder: found.folder?.slice(folder.length) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const IMPORT = 'import { Domain } from "@protean/server";\n';

for (
  const [what, files, wanted, name, folder] of [
    [
      "the export called domain",
      { "a.ts": `${IMPORT}export const other = new Domain("b"); export const domain = new Domain("a");` },
      "a.ts",
      "a",
      "",
    ],
    [
      "the only Domain",
      { "a.ts": `${IMPORT}export const shop: Domain = new Domain("a"); export const x = 1;` },
      "a.ts",
      "a",
      "",
    ],
    [
      "the only Domain under two names",
      { "a.ts": `${IMPORT}const shop = new Domain("a"); export { shop, shop as default };` },
      "a.ts",
      "a",
      "",
    ],
    [
      "the named export",
      { "a.ts": `${IMPORT}export const one = new Domain("a"); export const two = new Domain("b");` },
      "a.ts:two",
      "b",
      "",
    ],
    [
      "plain JavaScript with JSON beside it",
      {
        "a/mod.js":
          `${IMPORT}import names from "./n.json" with { type: "json" }; import { make } from "./make.js"; export const domain = make(names[0]);`,
        "a/n.json": '["a"]',
        "a/make.js": `${IMPORT}export const make = (name) => new Domain(name);`,
      },
      "a",
      "a",
      "/a",
    ],
  ] as const
) {
  Deno.test(`from a module it takes ${what}`, async () => {
    const found = await load(files, wanted);
    assertEquals([found.domain.name, found.folder], [name, folder]);
    assertEquals(found.domain instanceof Domain, true);
  });
}

Deno.test("a compiled-in domain has no folder", async () => {
  const domain = new Domain("compiled");
  const found = await load({}, "compiled", [domain]);
  assertStrictEquals(found.domain, domain);
  assertEquals(found.folder, undefined);
});

for (
  const [what, text, wanted, message] of [
    ["exports nothing", "", "a.ts", /exports no Domain: it exports nothing\. Export one with/],
    ["exports other things", "export const a = 1, b = 2;", "a.ts", /exports no Domain: it exports a, b\./],
    [
      "exports two domains",
      `${IMPORT}export const a = new Domain("a"), b = new Domain("b");`,
      "a.ts",
      /exports 2 domains, 'a', 'b': pick one with --domain=.*:NAME/,
    ],
    [
      "lacks the export",
      `${IMPORT}export const shop = new Domain("a");`,
      "a.ts:shoop",
      /exports no Domain called 'shoop': it exports 'shop'\./,
    ],
    [
      "exports something else of that name",
      "export const shop = 1;",
      "a.ts:shop",
      /exports no Domain called 'shop': it exports shop\./,
    ],
    ["throws", 'throw new Error("no licence\\nsecond line");', "a.ts", /failed while loading: no licence\.$/],
    ["throws no error", 'throw "bad";', "a.ts", /failed while loading: bad\.$/],
    ["is no TypeScript", "export const = ;", "a.ts", /failed while loading: .+/],
    ["imports a missing file", 'import "./missing.ts";', "a.ts", /failed while loading: .*missing\.ts/],
    [
      "imports a missing package",
      'import "no-such-package-at-all";',
      "a.ts",
      /failed while loading: .*no-such-package-at-all/,
    ],
    [
      "has a Domain of another library",
      "export class Domain {} export const domain = new Domain();",
      "a.ts",
      /another copy of @protean\/server/,
    ],
  ] as const
) {
  Deno.test(`a module that ${what} is one sentence`, async () => {
    const error = await assertRejects(() => load({ "a.ts": text }, wanted), DomainLoadError);
    assertMatch(error.message, message);
    assertEquals(error.message.includes("\n"), false);
  });
}
