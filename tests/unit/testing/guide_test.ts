/** `docs/guides/testing.md`: its blocks are a file of tests, which runs here. */
import { assertEquals } from "@std/assert";
import { Guide } from "../../support/guide.ts";
import "../../../examples/testing/shop_test.ts";

const ROOT = new URL("../../../", import.meta.url);

Deno.test("the guide to tests is the example to the letter, and names an example that is there", async () => {
  const guide = await Guide.read("testing");
  const file = await Deno.readTextFile(new URL("examples/testing/shop_test.ts", ROOT));
  const headings = ["A domain", "What a message does", "What comes of failures", "With a real database"];
  const blocks = headings.map((heading) => guide.take(heading, "ts"));
  assertEquals(blocks.join("\n"), file.slice(file.indexOf("\n") + 1));
  const [[deno, command, , folder] = []] = guide.commands("An adapter of your own");
  assertEquals([deno, command], ["deno", "test"]);
  const names = [...Deno.readDirSync(new URL(`${folder}/`, ROOT))].map(({ name }) => name);
  assertEquals(names.filter((name) => name.endsWith("_test.ts")), ["folder_cache_test.ts"]);
  assertEquals(guide.left, []);
});
