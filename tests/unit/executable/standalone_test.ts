import { assertEquals } from "@std/assert";
import { loadsTypeScript } from "../../../lib/executable/standalone.ts";

for (
  const [compiled, runtime, loads] of [
    [false, "2.5.7", true],
    [true, "2.5.7", false],
    [true, "2.8.9", false],
    [true, "2.9.0", true],
    [true, "2.10.1", true],
    [true, "3.0.0", true],
  ] as const
) {
  Deno.test(`${compiled ? "compiled with" : "run by"} Deno ${runtime}, TypeScript from disk ${loads ? "loads" : "does not load"}`, () => {
    assertEquals(loadsTypeScript(compiled, runtime), loads);
  });
}
