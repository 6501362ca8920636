/** Every link of every page leads somewhere, and so does every page of `docs/` that is named in a file. */
import { assert, assertEquals } from "@std/assert";
import { dirname, join, relative } from "node:path";
import { anchors, links } from "../support/markdown.ts";

const root = join(import.meta.dirname ?? "", "../..");
const SKIPPED = new Set([".git", "node_modules", ".tmp", "dist"]);
/** Of these the lines are read that name a page of `docs/`. */
const NAMING = /\.(md|ts|js|toml|yaml|json|service)$|^(Containerfile|run)$/;

/** Paths of all files below the project's folder, relative to it. */
async function* files(folder = root): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (SKIPPED.has(name)) continue;
    const path = join(folder, name);
    if (isDirectory) yield* files(path);
    else yield relative(root, path);
  }
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(join(root, path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    // A folder is somewhere, too.
    if (error instanceof Deno.errors.IsADirectory) return "";
    throw error;
  }
}

/** What is wrong with a link of the page at `from`; undefined: nothing. */
async function broken(from: string, target: string): Promise<string | undefined> {
  const [path = "", anchor] = target.split("#");
  const file = path === "" ? from : join(dirname(from), path);
  const text = await read(file);
  if (text === undefined) return `${from}: ${target}: there is no ${file}`;
  if (anchor !== undefined && !anchors(text).has(anchor)) return `${from}: ${target}: no such heading`;
  return undefined;
}

Deno.test("every relative link of every Markdown file leads to a file, and to a heading of it", async () => {
  const found: string[] = [];
  let asked = 0;
  for await (const from of files()) {
    if (!from.endsWith(".md")) continue;
    for (const target of links(await read(from) ?? "")) {
      asked++;
      const problem = await broken(from, target);
      if (problem !== undefined) found.push(problem);
    }
  }
  assertEquals(found, []);
  assert(asked > 50, `${asked} links are fewer than there are`);
});

Deno.test("every page of docs/ that a file names is there", async () => {
  const found: string[] = [];
  for await (const from of files()) {
    if (!NAMING.test(from)) continue;
    const text = await read(from) ?? "";
    for (const [path] of text.matchAll(/(?<![\w/])docs\/[\w./-]+\.md/g)) {
      if (await read(path) === undefined) found.push(`${from}: ${path}`);
    }
  }
  assertEquals(found, []);
});

Deno.test("docs/README.md leads to every page of docs/, and the runbooks' to each of theirs", async () => {
  const index = "docs/README.md";
  const listed = links(await read(index) ?? "").map((target) => join("docs", target));
  const runbooks = links(await read("docs/runbooks/README.md") ?? "").map((target) =>
    join("docs/runbooks", target)
  );
  const pages: string[] = [];
  for await (const path of files()) if (/^docs\/.*\.md$/.test(path) && path !== index) pages.push(path);
  assertEquals(pages.filter((path) => ![...listed, ...runbooks].includes(path)), []);
});

Deno.test("links in code are none, and a heading's anchor is GitHub's", () => {
  const page = [
    "# `GET /scale`, it's *there*",
    "## Twice",
    "## Twice",
    "See [`this`](a.md#b), [that](https://x.example/y.md), `[no](c.md)` and [image](d.png).",
    "```ts",
    "# no heading",
    "[no](e.md)",
    "```",
  ].join("\n");
  assertEquals(links(page), ["a.md#b", "d.png"]);
  assertEquals([...anchors(page)], ["get-scale-its-there", "twice", "twice-1"]);
});
