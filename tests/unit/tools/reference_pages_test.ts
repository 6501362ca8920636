import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { PAGES } from "../../../tools/docs.ts";
import { root } from "../../../tools/root.ts";

for (const [path, page] of Object.entries(PAGES)) {
  Deno.test(`${path} is what 'deno task docs' makes of the code`, async () => {
    assertEquals(await Deno.readTextFile(join(root, path)), page());
  });
}

Deno.test("every page of docs/reference is made from the code", async () => {
  const files: string[] = [];
  for await (const { name } of Deno.readDir(join(root, "docs/reference"))) {
    files.push(`docs/reference/${name}`);
  }
  assertEquals(files.sort(), Object.keys(PAGES).sort());
});
