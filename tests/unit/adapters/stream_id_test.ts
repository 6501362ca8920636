import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "../../support/property.ts";
import {
  compareIdTexts,
  compareStreamIds,
  cursorText,
  formatStreamId,
  idTextBehind,
  isStreamId,
  nextStreamId,
  parseCursor,
  parseStreamId,
} from "../../../lib/adapters/stream_id.ts";
import { IncorrectUsageError } from "../../../lib/errors.ts";

Deno.test("parseStreamId reads what Redis writes and nothing else", () => {
  const cases: Record<string, { ms: number; n: number } | undefined> = {
    "1767225600000-0": { ms: 1767225600000, n: 0 },
    "0-1": { ms: 0, n: 1 },
    "1767225600000": { ms: 1767225600000, n: 0 },
    "": undefined,
    "-": undefined,
    "1-": undefined,
    "-1": undefined,
    "1-2-3": undefined,
    " 1-2": undefined,
    "1.5-0": undefined,
    "0x1-0": undefined,
    "$": undefined,
    "9007199254740993-0": undefined,
    "99999999999999999999-0": undefined,
  };
  for (const [text, expected] of Object.entries(cases)) assertEquals(parseStreamId(text), expected, text);
});

Deno.test("parseCursor begins before everything without a place, and refuses what is none", () => {
  assertEquals(parseCursor(undefined), { ms: 0, n: 0 });
  assertEquals(parseCursor("5-6"), { ms: 5, n: 6 });
  for (const place of ["", "yesterday"]) assertThrows(() => parseCursor(place), IncorrectUsageError);
});

const ids = fc.record({ ms: fc.nat(2 ** 42), n: fc.nat(2 ** 30) }, { noNullPrototype: true });

Deno.test("formatStreamId and parseStreamId are each other's reverse", () => {
  fc.assert(fc.property(ids, (id) => assertEquals(parseStreamId(formatStreamId(id)), id)));
});

Deno.test("nextStreamId comes after the last id, whatever the clock does", () => {
  fc.assert(fc.property(ids, fc.nat(2 ** 42), (last, now) => {
    const next = nextStreamId(last, now);
    assert(compareStreamIds(next, last) > 0);
    assert(next.ms >= now);
  }));
});

Deno.test("compareStreamIds orders by number, not as text", () => {
  const sorted = ["9-0", "10-0", "10-9", "10-10"].map((text) => parseCursor(text));
  assertEquals(sorted.toReversed().sort(compareStreamIds), sorted);
});

Deno.test("ids of 64 bits are compared by every digit, and larger ones are none (L8e)", () => {
  const sorted = [
    "0-0",
    "5",
    "9-9",
    "10-0",
    "9007199254740992-0",
    "9007199254740993-0",
    "1767225600000000000-7",
  ];
  assertEquals(sorted.toReversed().sort(compareIdTexts), sorted);
  assertEquals(compareIdTexts("5", "5-0"), 0);
  for (const id of ["18446744073709551615-18446744073709551615", ...sorted]) {
    assert(isStreamId(id));
    assertEquals(cursorText(id), id);
  }
  for (const none of ["18446744073709551616-0", "99999999999999999999-0", "", "-", "1-", "x", "1-2-3"]) {
    assert(!isStreamId(none));
    assertThrows(() => cursorText(none), IncorrectUsageError);
  }
  assertEquals(idTextBehind("9007199254740993-9007199254740993"), "9007199254740993-9007199254740994");
});
