/** `new`: names, what is written and what is in the way. The written domain itself runs in tests/e2e/new_test.ts. */
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { basename, join } from "node:path";
import { main } from "../../../lib/cli/mod.ts";
import { writeFolder } from "../../../lib/cli/new/folder.ts";
import { domainNames } from "../../../lib/cli/new/names.ts";
import { render } from "../../../lib/cli/new/render.ts";
import { UsageError } from "../../../lib/cli/usage_error.ts";
import { scaffold } from "../../../tools/scaffold.ts";
import { recordingIo } from "./support.ts";
// The domain's own test, under the settings of this project.
import "../../../examples/new-domain/domain_test.ts";

const whole = await scaffold();
const small = { domain: { "domain.ts": "new_domain new-domain ./main.ts", "main.ts": "" }, library: {} };

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "protean-new-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Names in a folder. */
const entries = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

async function run(cwd: string, ...args: string[]) {
  const io = recordingIo({ cwd });
  const code = await main({ args: ["new", ...args], io, scaffold: () => Promise.resolve(small) });
  return { code, out: io.stdout, err: io.stderr };
}

for (
  const [name, snake, kebab] of [
    ["shop", "shop", "shop"],
    ["my-shop", "my_shop", "my-shop"],
    ["my_shop", "my_shop", "my-shop"],
    ["shop2-go", "shop2_go", "shop2-go"],
    // Words of JavaScript are as good as any: nothing of the code is named after the domain.
    ["class", "class", "class"],
    ["default", "default", "default"],
    ["constructor", "constructor", "constructor"],
    ["a".repeat(36), "a".repeat(36), "a".repeat(36)],
  ] as const
) {
  Deno.test(`'${name}' is a name for a domain`, () => assertEquals(domainNames(name), { snake, kebab }));
}

for (
  const [name, reason] of [
    ["", "cannot be called ''"],
    ["My Shop", "Did you mean 'my_shop'?"],
    ["MyShop", "Did you mean 'myshop'?"],
    ["shöp", "Did you mean 'shop'?"],
    ["商店", "begins with a letter"],
    ["1shop", "Did you mean 'shop'?"],
    ["my--shop", "Did you mean 'my_shop'?"],
    ["-shop", "begins with a letter"],
    ["__proto__", "Did you mean 'proto'?"],
    ["shop\n", "Did you mean 'shop'?"],
    ["a/b", "is a path"],
    ["..", "is a path"],
    ["C:\\shop", "is a path"],
    ["build", "a folder in it"],
    ["node_modules", "is taken for packages"],
    ["bundled", "--domain=bundled is the one inside"],
    ["a".repeat(37), "at most 36 characters"],
    ["x".repeat(100_000), "…': it may have at most"],
  ] as const
) {
  Deno.test(`'${name.slice(0, 20)}' is no name for a domain: ${reason}`, () => {
    const { message } = assertThrows(() => domainNames(name, ["bundled"]), UsageError);
    assertStringIncludes(message, reason);
    assert(message.length < 300, message);
  });
}

Deno.test("every file has the domain's name in its form, and nothing is left of the scaffold's", () => {
  const files = render(whole, domainNames("my-shop"), "typescript", "{}\n");
  const own = Object.entries(files).filter(([path]) => !path.startsWith("vendor/"));
  assertEquals(own.filter(([path, text]) => /new[_-]domain/.test(path + text)), []);
  assertStringIncludes(files["elements.ts"] ?? "", 'new Domain("my_shop")');
  assertStringIncludes(files["handlers.ts"] ?? "", '"my_shop::order"');
  assertStringIncludes(files["deploy/kubernetes/base/deployment.yaml"] ?? "", "name: my-shop");
  assertStringIncludes(files["domain.toml"] ?? "", "#:schema ./domain.schema.json\n");
  assertEquals(files["domain.schema.json"], "{}\n");
  assertEquals(files["vendor/protean-server/lib/mod.ts"], whole.library["lib/mod.ts"]);
});

Deno.test("in JavaScript no file is TypeScript but the library, and none is named that is not there", () => {
  const files = render(whole, domainNames("shop"), "javascript", "{}\n");
  const own = Object.entries(files).filter(([path]) => !path.startsWith("vendor/"));
  assertEquals(own.filter(([path, text]) => /\w\.ts\b/.test(path + text)).map(([path]) => path), []);
  assertStringIncludes(files["domain.js"] ?? "", 'import "./handlers.js"');
  for (const file of ["domain_test.js", "elements.js", "handlers.js", "main.js"]) assert(file in files, file);
});

Deno.test("the library in a new domain names every package that it imports, and locks it", () => {
  const { imports } = JSON.parse(whole.library["deno.json"] ?? "");
  const { specifiers, npm } = JSON.parse(whole.domain["deno.lock"] ?? "");
  const sources = Object.entries(whole.library).filter(([path]) => path.endsWith(".ts"));
  const named = sources.flatMap(([, text]) =>
    [...text.replaceAll(/\/\*[\s\S]*?\*\//g, "").matchAll(/(?:\bfrom|^import) "([^".:]+)";/gm)]
      .map(([, name = ""]) => name)
  );
  assert(named.includes("ioredis"), `${named}`);
  assertEquals([...new Set(named)].filter((name) => !(name in imports)), []);
  const locked = Object.keys(specifiers).map((name) => name.replace(/^npm:(.+)@.*/, "$1"));
  const packages = Object.values<string>(imports).filter((to) => to.startsWith("npm:"));
  assertEquals(packages.filter((to) => !locked.includes(to.replace(/^npm:(.+)@.*/, "$1"))), []);
  for (const [specifier, version] of Object.entries(specifiers)) {
    assert(`${specifier.replace(/^npm:(.+)@.*/, "$1")}@${version}` in npm, specifier);
  }
});

Deno.test("new writes the folder and says what is next, with --json as an envelope", () =>
  withFolder(async (cwd) => {
    const { code, out, err } = await run(cwd, "my-shop", "--language=typescript");
    assertEquals([code, err], [0, ""]);
    assertStringIncludes(out, `Wrote the domain 'my_shop' to '${cwd}/my-shop'`);
    assertStringIncludes(out, "  cd my-shop\n");
    assertEquals(
      Deno.readTextFileSync(join(cwd, "my-shop/domain.ts")),
      "my_shop my-shop ./main.ts",
    );
    const json = await run(cwd, "my-shop", "--folder", "a/b c", "--language", "javascript", "--json");
    assertEquals(JSON.parse(json.out), {
      version: "0.1.0",
      status: "pass",
      data: {
        domain: "my_shop",
        folder: join(cwd, "a/b c"),
        language: "javascript",
        files: ["domain.js", "main.js", "domain.schema.json"],
      },
      diagnostics: [],
    });
    assertEquals(entries(join(cwd, "a/b c")), ["domain.js", "domain.schema.json", "main.js"]);
    assertEquals(entries(cwd), ["a", "my-shop"]);
  }));

Deno.test("new takes an empty folder, the current one too, and leaves it the same folder", () =>
  withFolder(async (cwd) => {
    const before = Deno.statSync(cwd).ino;
    const { code, out, err } = await run(cwd, "shop", "--folder=.");
    assertEquals([code, err], [0, ""]);
    assertEquals(out.includes("  cd "), false);
    assertEquals(Deno.statSync(cwd).ino, before);
    assertEquals(entries(cwd).length, 3);
  }));

Deno.test("new overwrites nothing: what is in the way is listed, and stays", () =>
  withFolder(async (cwd) => {
    Deno.mkdirSync(join(cwd, "shop"));
    for (let n = 10; n < 23; n++) Deno.writeTextFileSync(join(cwd, "shop", `f${n}`), "mine");
    const { code, out, err } = await run(cwd, "shop");
    assertEquals([code, out], [2, ""]);
    assertStringIncludes(err, "is not empty, and nothing is overwritten: 'f10', 'f11', ");
    assertStringIncludes(err, "'f19' and 3 more in it.");
    assertEquals(entries(join(cwd, "shop")).length, 13);
  }));

Deno.test("new says of a link to nowhere that it is one", () =>
  withFolder(async (cwd) => {
    Deno.symlinkSync("nowhere", join(cwd, "shop"));
    const { code, err } = await run(cwd, "shop");
    assertEquals(code, 2);
    assertStringIncludes(err, `in '${cwd}/shop': it is a link to 'nowhere', which is not there.`);
    assertEquals(entries(cwd), ["shop"]);
  }));

Deno.test("new says why a folder cannot be written: a file, or a file above", () =>
  withFolder(async (cwd) => {
    Deno.writeTextFileSync(join(cwd, "file"), "mine");
    for (const folder of ["file", "file/below"]) {
      const { code, err } = await run(cwd, "shop", "--folder", folder);
      assertEquals(code, 2);
      assertStringIncludes(err, `A new domain cannot be in '${cwd}/${folder}': it is no folder.`);
    }
    const long = await run(cwd, "shop", "--folder", "x".repeat(300));
    assertEquals(long.code, 2);
    assertStringIncludes(long.err, "File name too long");
    assertEquals(entries(cwd), ["file"]);
  }));

for (const exists of [false, true]) {
  Deno.test(`a write that fails half-way leaves nothing behind${exists ? " in an empty folder" : ""}`, () =>
    withFolder(async (cwd) => {
      const folder = join(cwd, "shop");
      if (exists) Deno.mkdirSync(folder);
      await assertRejects(
        () => writeFolder(folder, { "a.txt": "a", ["n".repeat(300)]: "too long a name", "z.txt": "z" }),
        UsageError,
        `'${folder}' cannot be written`,
      );
      assertEquals(entries(cwd), exists ? [basename(folder)] : []);
      if (exists) assertEquals(entries(folder), []);
    }));
}

Deno.test("an executable without a scaffold has no such command", async () => {
  const io = recordingIo();
  assertEquals(await main({ args: ["new", "shop"], io }), 2);
  assertStringIncludes(io.stderr, "new");
});
