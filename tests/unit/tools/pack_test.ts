import { assert, assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { join, relative } from "node:path";
import { gunzipSync } from "node:zlib";
import { parseTarGzip } from "nanotar";
import manifest from "../../../deno.json" with { type: "json" };
import { pack } from "../../../tools/pack.ts";
import { root } from "../../../tools/root.ts";
import { unpack } from "../../support/unpacked.ts";

const tarball = await pack();
const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

async function below(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(join(root, folder))) {
    found.push(...isDirectory ? await below(`${folder}/${name}`) : [`${folder}/${name}`]);
  }
  return found;
}

Deno.test("the library's tarball holds its sources and what they need, and nothing else", async () => {
  const files = await parseTarGzip(tarball as Uint8Array<ArrayBuffer>, { metaOnly: true });
  const wanted = [
    ...["LICENSE", "README.md", "deno.json", "links/std_assert/mod.ts", "links/std_toml/mod.ts"],
    ...await below("lib"),
  ];
  assertEquals(files.map(({ name }) => name), wanted.map((path) => `protean-server/${path}`).sort());
});

Deno.test("the tarball ends as an archive must, in two empty blocks", () => {
  const end = gunzipSync(tarball).subarray(-2 * 512);
  assertEquals([end.length, end.every((byte) => byte === 0)], [1024, true]);
});

Deno.test("the same sources make the same tarball, whoever packs it and when", async () => {
  // Of so many bytes the difference itself would take minutes to be found.
  assertEquals(digest(await pack()), digest(tarball));
  const files = await parseTarGzip(tarball as Uint8Array<ArrayBuffer>, { metaOnly: true });
  const attributes = files.map(({ attrs }) => JSON.stringify({ ...attrs, mode: Number(attrs?.mode) }));
  assertEquals(new Set(attributes).size, 1, [...new Set(attributes)].join("\n"));
});

Deno.test("a team's own executable runs on the tarball, with every export of the library", async () => {
  const folder = await Deno.makeTempDir({ prefix: "protean-pack-" });
  try {
    await unpack(tarball, join(folder, "vendor"));
    for (const name of ["deno.json", "domain.toml", "elements.ts", "shop.ts", "main.ts"]) {
      await Deno.copyFile(join(root, "examples/own-binary", name), join(folder, name));
    }
    const settings = JSON.parse(await Deno.readTextFile(join(folder, "deno.json")));
    settings.links = ["./vendor/protean-server"];
    await Deno.writeTextFile(join(folder, "deno.json"), JSON.stringify(settings));
    const exported = Object.keys(manifest.exports).map((name) =>
      `import "${manifest.name}${name.slice(1)}";\n`
    );
    await Deno.writeTextFile(join(folder, "exports.ts"), `${exported.join("")}import "./main.ts";\n`);
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "exports.ts", "check", "--domain=shop"],
      cwd: folder,
      env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert(success, `${text}${new TextDecoder().decode(stderr)}`);
    assert(text.includes("All checks passed."), text);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the library can be published: nothing of it is missing or left to be inferred", async () => {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    // The types are checked by `deno task check`.
    args: ["publish", "--dry-run", "--allow-dirty", "--no-check"],
    cwd: root,
    env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
  }).output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert(success, said);
  const published = [...said.matchAll(/^\s*file:\/\/(\S+) \(/gm)].map(([, path = ""]) =>
    relative(root, path)
  );
  const tops = new Set(published.map((path) => path.split("/")[0]));
  assertEquals([...tops].sort(), ["CHANGELOG.md", "LICENSE", "README.md", "deno.json", "lib", "links"]);
});
