/**
 * TypeScript on disk: refused with the two ways out where the runtime in the executable cannot transpile,
 * loaded where it can.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { withFiles } from "../files.ts";
import { run, sentence } from "../run.ts";
import { binary, builtWithDeno2 } from "./binary.ts";

const WAYS_OUT =
  /is TypeScript, which this executable cannot load from disk: compile the domain into an executable of your own, or bundle the domain to one \.js file/;

for (
  const [what, files, domain, refused] of [
    [
      "a .ts file",
      {
        "domain.ts":
          'import { Domain } from "@protean/server"; export const domain: Domain = new Domain("typed");',
      },
      "./domain.ts",
      /'[^']*\/domain\.ts' failed while loading: it is TypeScript/,
    ],
    [
      "a folder with domain.ts",
      {
        "typed/domain.ts":
          'import { Domain } from "@protean/server"; export const domain: Domain = new Domain("typed");',
      },
      "./typed",
      /'[^']*\/typed\/domain\.ts' failed while loading: it is TypeScript/,
    ],
    [
      "a .js file that imports a .ts file",
      {
        "domain.js":
          'import { Domain } from "@protean/server"; import { name } from "./name.ts"; export const domain = new Domain(name);',
        "name.ts": 'export const name: string = "typed";',
      },
      "./domain.js",
      /'[^']*\/name\.ts' is TypeScript/,
    ],
  ] as const
) {
  Deno.test(`${what} is loaded where the runtime transpiles, and else one sentence with both ways out, exit 2`, () =>
    withFiles(files, async (cwd) => {
      const ended = await run(["db", "setup", `--domain=${domain}`], { cwd, program: [binary()] });
      // The first whose runtime transpiles.
      if (await builtWithDeno2(9)) {
        assertEquals(ended.code, 0, ended.err);
      } else {
        assertEquals(ended.code, 2, ended.err);
        assertMatch(sentence(ended), refused);
        assertMatch(sentence(ended), WAYS_OUT);
      }
    }));
}
