import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { PAGES } from "../../../tools/docs.ts";
import { root } from "../../../tools/root.ts";

for (const [path, page] of Object.entries(PAGES)) {
  Deno.test(`${path} is what 'deno task docs' makes of the code`, async () => {
    assertEquals(await Deno.readTextFile(join(root, path)), await page());
  });
}

Deno.test("a page that says it is made from the code is, and the other way round", async () => {
  const made: string[] = [];
  for await (const { name } of Deno.readDir(join(root, "docs/reference"))) {
    const text = await Deno.readTextFile(join(root, "docs/reference", name));
    if (text.startsWith("<!-- Made by `deno task docs`")) made.push(`docs/reference/${name}`);
  }
  assertEquals(made.sort(), Object.keys(PAGES).filter((path) => path.startsWith("docs/")).sort());
});
