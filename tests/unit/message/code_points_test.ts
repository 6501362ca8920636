import { assertEquals } from "@std/assert";
import fc from "../../support/property.ts";
import { compareCodePoints } from "../../../lib/message/json_format.ts";

Deno.test("compareCodePoints orders strings as their code points are ordered", () => {
  const text = fc.string({ unit: "binary" });
  fc.assert(fc.property(text, text, (a, b) => {
    assertEquals(Math.sign(compareCodePoints(a, b)), compareLists([...a], [...b]));
  }));
});

Deno.test("compareCodePoints puts U+1F600 behind U+FF5E, which UTF-16 does not", () => {
  assertEquals("😀" < "\uff5e", true);
  assertEquals(compareCodePoints("😀", "\uff5e") > 0, true);
});

/** The definition, slowly. */
function compareLists(a: readonly string[], b: readonly string[]): number {
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const difference = (a[at]?.codePointAt(0) ?? 0) - (b[at]?.codePointAt(0) ?? 0);
    if (difference !== 0) return Math.sign(difference);
  }
  return Math.sign(a.length - b.length);
}
