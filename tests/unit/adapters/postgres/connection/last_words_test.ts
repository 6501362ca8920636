import { assertEquals } from "@std/assert";
import { LastWords } from "../../../../../lib/adapters/postgres/connection/last_words.ts";

/** A message of the protocol: type, length, and fields that zeros end. */
function frame(type: string, ...fields: string[]): Uint8Array {
  const body = new TextEncoder().encode(fields.map((field) => `${field}\0`).join("") + "\0");
  const bytes = new Uint8Array(5 + body.length);
  bytes[0] = type.charCodeAt(0);
  new DataView(bytes.buffer).setInt32(1, 4 + body.length);
  bytes.set(body, 5);
  return bytes;
}

function reasonOf(...pieces: Uint8Array[]): string | undefined {
  const words = new LastWords();
  for (const piece of pieces) words.heard(piece);
  return words.reason;
}

const fatal = frame("E", "SFATAL", "VFATAL", "C57P01", "Mgoing down");
const rows = frame("D", "x".repeat(5000));

Deno.test("the last words of a server are a fatal error at the very end of what it has sent", () => {
  const said = "going down (SQLSTATE 57P01)";
  assertEquals(reasonOf(fatal), said);
  assertEquals(reasonOf(rows, rows, fatal), said);
  assertEquals(reasonOf(new Uint8Array([...rows, ...fatal])), said);
  for (const cut of [1, 4, 5, 20, fatal.length - 1]) {
    assertEquals(reasonOf(rows, fatal.subarray(0, cut), fatal.subarray(cut)), said, `cut at ${cut}`);
  }
});

Deno.test("an error that ends no connection, and one that more has followed, are no last words", () => {
  assertEquals(reasonOf(), undefined);
  assertEquals(reasonOf(rows), undefined);
  assertEquals(reasonOf(frame("E", "SERROR", "VERROR", "C22P02", "Mno")), undefined);
  assertEquals(reasonOf(fatal, rows), undefined);
  assertEquals(reasonOf(frame("E", "VFATAL")), undefined);
  assertEquals(reasonOf(new Uint8Array([69, 0, 0, 0])), undefined);
});
