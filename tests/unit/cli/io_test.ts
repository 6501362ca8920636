import { assertEquals } from "@std/assert";
import { writer } from "../../../lib/cli/io.ts";

/** A stream that takes `size` bytes at a time and fails as told. */
function stream(size: number, fail: (attempt: number) => Error | undefined = () => undefined) {
  let attempt = 0;
  let text = "";
  return {
    get text() {
      return text;
    },
    get attempts() {
      return attempt;
    },
    writeSync(bytes: Uint8Array): number {
      const error = fail(attempt++);
      if (error) throw error;
      const part = bytes.subarray(0, size);
      text += new TextDecoder().decode(part);
      return part.length;
    },
  };
}

Deno.test("a text is written whole although the stream takes it in pieces", () => {
  const target = stream(3);
  writer(target)("ten letters");
  assertEquals(target.text, "ten letters");
});

Deno.test("a full pipe is waited for", () => {
  const target = stream(100, (attempt) => (attempt < 2 ? new Deno.errors.WouldBlock("full") : undefined));
  writer(target)("text");
  assertEquals([target.text, target.attempts], ["text", 3]);
});

for (
  const [error, matters] of [
    [new Deno.errors.BrokenPipe("gone"), false],
    [new Deno.errors.BadResource("closed"), false],
    [new Error("No space left on device"), true],
  ] as const
) {
  Deno.test(`after '${error.name}: ${error.message}' nothing is written, nothing is thrown, and it is ${matters ? "told" : "not told"}`, () => {
    const target = stream(100, () => error);
    const told: Error[] = [];
    const write = writer(target, (failure) => told.push(failure));
    write("a");
    write("b");
    assertEquals([target.text, target.attempts, told], ["", 1, matters ? [error] : []]);
  });
}
