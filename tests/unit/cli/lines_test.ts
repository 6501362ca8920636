import { assertEquals } from "@std/assert";
import fc from "../../support/property.ts";
import { type Line, readLines } from "../../../lib/cli/lines.ts";

const utf8 = new TextEncoder();

async function lines(chunks: readonly (string | Uint8Array)[], maxBytes = 20): Promise<Line[]> {
  const bytes = chunks.map((chunk) => (typeof chunk === "string" ? utf8.encode(chunk) : chunk));
  return await Array.fromAsync(readLines(ReadableStream.from(bytes), { maxBytes }));
}

for (
  const [what, chunks, expected] of [
    ["nothing", [], []],
    ["one line without an end", ["a"], ["a"]],
    ["one line with an end", ["a\n"], ["a"]],
    ["blank lines", ["\n\na\n\n"], ["", "", "a", ""]],
    ["Windows ends", ["a\r\nb\r\n"], ["a", "b"]],
    ["a line in pieces", ["a", "b", "c\nd"], ["abc", "d"]],
    ["an end in a chunk of its own", ["a", "\n", "b"], ["a", "b"]],
    ["a byte order mark", ["\ufeffa\n\ufeffb"], ["a", "\ufeffb"]],
    ["a line of the longest length", ["12345678901234567890\nb"], ["12345678901234567890", "b"]],
  ] as const
) {
  Deno.test(`lines of ${what}`, async () => {
    assertEquals(await lines(chunks), expected.map((text, index) => ({ number: index + 1, text })));
  });
}

Deno.test("a line that is too long is a problem, and the next is read", async () => {
  for (const chunks of [["x".repeat(21) + "\nok"], [..."x".repeat(5_000)].concat("\nok")]) {
    assertEquals(await lines(chunks), [
      { number: 1, problem: "longer than 20 bytes" },
      { number: 2, text: "ok" },
    ]);
  }
});

Deno.test("a line that is not UTF-8 is a problem, and the next is read", async () => {
  assertEquals(await lines([new Uint8Array([0x61, 0xff, 0x0a, 0x62])]), [
    { number: 1, problem: "not UTF-8" },
    { number: 2, text: "b" },
  ]);
});

Deno.test("lines do not depend on where the chunks are cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: fc.constantFrom("a", "é", "😀", "\n", "\r", "b") }), { maxLength: 8 }),
      fc.array(fc.nat(12), { maxLength: 12 }),
      async (texts, cuts) => {
        const text = texts.join("");
        const bytes = utf8.encode(text);
        const chunks: Uint8Array[] = [];
        let at = 0;
        for (const cut of cuts) chunks.push(bytes.slice(at, at += cut));
        chunks.push(bytes.slice(at));
        const whole = await lines([bytes], 1_000);
        assertEquals(await lines(chunks, 1_000), whole);
        const expected = text.split("\n");
        if (expected.at(-1) === "") expected.pop();
        assertEquals(
          whole,
          expected.map((line, index) => ({ number: index + 1, text: line.replace(/\r$/, "") })),
        );
      },
    ),
  );
});
