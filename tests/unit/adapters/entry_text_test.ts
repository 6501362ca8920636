/** What of an entry's bytes becomes text (SEC-3): nothing is replaced, not even in a beginning. */
import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { entryText, TextBudget } from "../../../lib/adapters/entry_text.ts";
import { standsForBytes } from "../../../lib/message/bytes.ts";
import { KEPT_BYTES } from "../../../lib/message/dead_letter.ts";

const LARGE = 100_000;

async function read(bytes: Buffer) {
  const text = await entryText(bytes, new TextBudget({ maxEntryBytes: LARGE }));
  return typeof text === "string" ? { data: text } : text;
}

Deno.test("bytes that are not UTF-8 are kept as base64 where they are no larger than what is read", async () => {
  const bytes = Buffer.alloc(LARGE, 0xff);
  assertEquals(await read(bytes), { data: `{"base64":"${bytes.toString("base64")}"}` });
});

Deno.test("of larger bytes that are not UTF-8 the beginning is kept as base64, within what is kept", async () => {
  const bytes = Buffer.alloc(LARGE + 1, 0xff);
  const { data = "", tooLarge } = await read(bytes);
  assertEquals([standsForBytes(data), data.length <= KEPT_BYTES, tooLarge?.bytes], [true, true, LARGE + 1]);
});

Deno.test("the beginning of a larger text ends with a whole character", async () => {
  const { data } = await read(Buffer.from(`x${"é".repeat(LARGE)}`));
  assertEquals(data, `x${"é".repeat(KEPT_BYTES / 2 - 1)}`);
});
