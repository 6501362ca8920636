/** Holds the tables of `docs/architecture.md` against the imports of `lib/`. */
import { assert, assertEquals } from "@std/assert";
import { dirname, join, normalize, relative } from "node:path";

const root = new URL("../../", import.meta.url).pathname;
const lib = join(root, "lib");
const page = await Deno.readTextFile(join(root, "docs/architecture.md"));

/** Rows of the table whose first heading is `heading`, as the names in backquotes of each cell. */
function table(heading: string): string[][][] {
  const lines = page.split("\n");
  const head = lines.findIndex((line) => line.startsWith(`| ${heading} |`));
  assert(head >= 0, `docs/architecture.md has no table that begins with '${heading}'`);
  const end = lines.findIndex((line, at) => at > head && !line.startsWith("|"));
  return lines.slice(head + 2, end).map((line) =>
    line.split("|").slice(1, -1).map((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name))
  );
}

/** Room → floor, counted from the top. */
const floors = new Map(table("floor").flatMap(([, rooms = []], floor) => rooms.map((room) => [room, floor])));
/** Room → its folders, from the top. */
const folders = new Map(table("room").map(([room = [], inside = []]) => [room[0] ?? "", inside]));

async function* sources(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) yield* sources(path);
    else if (entry.name.endsWith(".ts")) yield path;
  }
}

const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*"(\.{1,2}\/[^"]+)"/g;

/** Every file of `lib/`, with the files it imports; paths relative to `lib/`. */
const imports = new Map<string, readonly string[]>();
for await (const path of sources(lib)) {
  const code = (await Deno.readTextFile(path)).replace(/\/\*[\s\S]*?\*\//g, "");
  imports.set(
    relative(lib, path),
    [...code.matchAll(IMPORT)].map(([, to = ""]) => relative(lib, normalize(join(dirname(path), to))))
      .filter((to) => to.endsWith(".ts")),
  );
}

/** The longest name on the page that `file` is in. */
function roomOf(file: string): string {
  let path = file;
  while (!floors.has(path)) {
    assert(path.includes("/"), `lib/${file} is in no room of docs/architecture.md`);
    path = dirname(path);
  }
  return path;
}

function folderOf(file: string, room: string): number {
  return (folders.get(room) ?? []).findIndex((folder) => file.startsWith(`${folder}/`));
}

Deno.test("every room of the page exists, and every file of lib/ is in one", () => {
  const inhabited = new Set([...imports.keys()].map(roomOf));
  assertEquals([...floors.keys()].filter((room) => !inhabited.has(room)), []);
});

Deno.test("imports point down the floors of the page", () => {
  const wrong: string[] = [];
  for (const [file, targets] of imports) {
    for (const target of targets) {
      if (target.startsWith("..")) continue;
      const [from, to] = [roomOf(file), roomOf(target)];
      if (from !== to && (floors.get(from) ?? 0) >= (floors.get(to) ?? 0)) wrong.push(`${file} → ${target}`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("inside a room imports point down its folders", () => {
  const wrong: string[] = [];
  for (const [file, targets] of imports) {
    for (const target of targets) {
      if (target.startsWith("..") || roomOf(target) !== roomOf(file)) continue;
      const [from, to] = [folderOf(file, roomOf(file)), folderOf(target, roomOf(file))];
      if (from >= 0 && to >= 0 && from > to) wrong.push(`${file} → ${target}`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("no files of lib/ import each other in a circle", () => {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    assert(!path.includes(file), `a circle: ${[...path.slice(path.indexOf(file)), file].join(" → ")}`);
    if (done.has(file)) return;
    for (const target of imports.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
});

Deno.test("only the registry names a concrete adapter, and the library imports nothing above itself", () => {
  const wrong: string[] = [];
  for (const [file, targets] of imports) {
    for (const target of targets) {
      const adapter = /^adapters\/(memory|sqlite|postgres|redis)\//.exec(target)?.[0];
      const allowed = file === "adapters/registry.ts" || (adapter !== undefined && file.startsWith(adapter));
      if (adapter && !allowed) wrong.push(`${file} → ${target}`);
      // The version is in deno.json, which is no code.
      if (target.startsWith("..")) wrong.push(`${file} → ${target}`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("only the inbox moves a delivery from stage to stage", async () => {
  const movers: string[] = [];
  for await (const path of sources(join(lib, "subscription"))) {
    if (/import [^;]*\bmoveTo\b/.test(await Deno.readTextFile(path))) movers.push(relative(lib, path));
  }
  assertEquals(movers, ["subscription/inbox.ts"]);
});
