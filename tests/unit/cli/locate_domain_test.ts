import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { join } from "node:path";
import { DomainLoadError } from "../../../lib/errors.ts";
import { type DomainQuery, locateDomain } from "../../../lib/cli/locate_domain.ts";

/** A folder with files, gone after the test. */
async function inFolder(files: readonly string[], test: (folder: string) => void): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "domän mit " });
  try {
    for (const file of files) {
      await Deno.mkdir(join(folder, file, ".."), { recursive: true });
      await Deno.writeTextFile(join(folder, file), "");
    }
    test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function locate(cwd: string, over: Partial<DomainQuery>) {
  return locateDomain({ wanted: undefined, variable: undefined, cwd, compiled: ["my_domain"], ...over });
}

for (
  const [what, files, wanted, file, exportName] of [
    ["a file", ["shop.ts"], "./shop.ts", "shop.ts", undefined],
    ["a file without ./", ["shop.js"], "shop.js", "shop.js", undefined],
    ["a file with an export", ["shop.ts"], "./shop.ts:orders", "shop.ts", "orders"],
    [
      "a folder with domain.ts before mod.ts",
      ["shop/mod.ts", "shop/domain.ts"],
      "shop",
      "shop/domain.ts",
      undefined,
    ],
    ["a folder with domain.js", ["shop/domain.js"], "./shop/", "shop/domain.js", undefined],
    ["a folder with mod.js", ["shop/mod.js"], "shop", "shop/mod.js", undefined],
    ["a folder with an export", ["shop/mod.ts"], "./shop:$a1", "shop/mod.ts", "$a1"],
    ["a name without its extension", ["shop.ts"], "shop", "shop.ts", undefined],
    ["a name beside an empty folder", ["shop.ts", "shop/other.txt"], "shop", "shop.ts", undefined],
    ["a path with spaces", ["my shop/domain.ts"], "./my shop", "my shop/domain.ts", undefined],
  ] as const
) {
  Deno.test(`--domain finds ${what}`, async () => {
    await inFolder(files, (cwd) => {
      assertEquals(locate(cwd, { wanted }), { kind: "module", file: join(cwd, file), exportName });
    });
  });
}

Deno.test("a compiled-in name comes before the disk, a path never means it", async () => {
  await inFolder(["my_domain/domain.ts"], (cwd) => {
    assertEquals(locate(cwd, { wanted: "my_domain" }), { kind: "compiled", name: "my_domain" });
    assertEquals(locate(cwd, { wanted: "./my_domain" }).kind, "module");
  });
});

Deno.test("the flag beats PROTEAN_DOMAIN, which beats the current folder", async () => {
  await inFolder(["domain.ts", "a.ts", "b.ts"], (cwd) => {
    const found = (over: Partial<DomainQuery>) => {
      const place = locate(cwd, over);
      return place.kind === "module" ? place.file.slice(cwd.length + 1) : place.name;
    };
    assertEquals(found({ wanted: "a.ts", variable: "b.ts" }), "a.ts");
    assertEquals(found({ variable: "b.ts" }), "b.ts");
    assertEquals(found({ variable: "" }), "domain.ts");
    assertEquals(found({}), "domain.ts");
  });
});

for (
  const [what, files, over, message] of [
    [
      "an unknown name",
      [],
      { wanted: "my_domian" },
      /no domain 'my_domian' \(--domain\).*Did you mean 'my_domain'\?$/,
    ],
    [
      "a misspelt file",
      ["shop.ts"],
      { wanted: "./shpo.ts" },
      /'\.\/shpo\.ts'.*Did you mean '\.\/shop\.ts'\?$/,
    ],
    ["a name like nothing", [], { wanted: "zzzzzzzzz" }, /Compiled in: my_domain\.$/],
    ["an unknown variable", [], { variable: "nope" }, /no domain 'nope' \(PROTEAN_DOMAIN\)/],
    [
      "a folder without a module",
      ["shop/readme.md"],
      { wanted: "shop" },
      /holds no domain module.*domain\.ts/,
    ],
    ["nothing named and nothing there", [], {}, /No domain was named.*--domain=NAME.*my_domain\.$/],
    ["a file taken for a folder", ["shop.ts"], { wanted: "shop.ts/domain" }, /no domain 'shop\.ts\/domain'/],
    ["a device", [], { wanted: "/dev/null" }, /'\/dev\/null' is neither a file nor a folder\.$/],
    ["an empty path", [], { wanted: ":orders" }, /no domain ':orders'/],
  ] as const
) {
  Deno.test(`${what} is one sentence`, async () => {
    await inFolder(files, (cwd) => {
      const error = assertThrows(() => locate(cwd, over), DomainLoadError);
      assertMatch(error.message, message);
      assertEquals(error.message.includes("\n"), false);
    });
  });
}
