import { assertEquals } from "@std/assert";
import fc from "../../support/property.ts";
import { parseTime, timeText, utcTime } from "../../../lib/message/time.ts";

const TIME = Date.UTC(2026, 10, 22, 14, 11, 31, 746);

const texts: [number, string][] = [
  [0, "1970-01-01T00:00:00.000000+00:00"],
  [TIME, "2026-11-22T14:11:31.746000+00:00"],
  [TIME + 0.953, "2026-11-22T14:11:31.746953+00:00"],
  [TIME + 0.9999, "2026-11-22T14:11:31.747000+00:00"],
  [114_207_856_384_352.75, "5589-02-07T04:33:04.352750+00:00"],
  [-0.001, "1969-12-31T23:59:59.999999+00:00"],
];
for (const [epochMs, expected] of texts) {
  Deno.test(`timeText of ${epochMs} is ${expected}`, () => assertEquals(timeText(epochMs), expected));
}

Deno.test("parseTime reads back what timeText writes, to the millisecond", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 4e12 }), (epochMs) => {
    assertEquals(parseTime(timeText(epochMs)), epochMs);
  }));
  assertEquals(parseTime("2026-11-22T14:11:31.746953+00:00"), TIME);
  assertEquals(parseTime(null), undefined);
  assertEquals(parseTime("noon"), undefined);
});

// wire 1.3: any pydantic datetime.
const given: [unknown, string | null | undefined][] = [
  [null, null],
  [undefined, null],
  ["2026-11-22T14:11:31.746953+00:00", "2026-11-22T14:11:31.746953+00:00"],
  ["2026-11-22T14:11:31.746Z", "2026-11-22T14:11:31.746Z"],
  ["2026-11-22T14:11:31Z", "2026-11-22T14:11:31Z"],
  ["2026-11-22T16:11:31.746953+02:00", "2026-11-22T14:11:31.746953+00:00"],
  ["2026-11-22T09:41:31.5-0430", "2026-11-22T14:11:31.500000+00:00"],
  ["2026-11-22T12:11:31-02", "2026-11-22T14:11:31.000000+00:00"],
  ["2026-11-22T14:11:31.746953", "2026-11-22T14:11:31.746953+00:00"],
  ["2026-11-22 14:11:31z", "2026-11-22T14:11:31.000000+00:00"],
  ["2026-11-22T14:11", "2026-11-22T14:11:00.000000+00:00"],
  ["2026-11-22", "2026-11-22T00:00:00.000000+00:00"],
  [1795356691, "2026-11-22T14:11:31.000000+00:00"],
  [1795356691.746953, "2026-11-22T14:11:31.746953+00:00"],
  [1795356691746, "2026-11-22T14:11:31.746000+00:00"],
  ["1795356691", "2026-11-22T14:11:31.000000+00:00"],
  ["", undefined],
  ["soon", undefined],
  ["2026-13-01T00:00:00Z", undefined],
  ["2026-13-01T00:00:00", undefined],
  ["2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"],
  ["2026-02-29T00:00:00Z", undefined],
  ["2026-02-31", undefined],
  ["0000-01-01T00:00:00Z", undefined],
  ["0001-01-01", "0001-01-01T00:00:00.000000+00:00"],
  ["0001-01-01T00:00:00+01:00", undefined],
  ["9999-12-31T23:59:59.999999", "9999-12-31T23:59:59.999999+00:00"],
  ["9999-12-31T23:59:59-01:00", undefined],
  ["-99999999999999", undefined],
  [253402300800000, undefined],
  [1e300, undefined],
  [true, undefined],
  [{}, undefined],
];
for (const [value, expected] of given) {
  Deno.test(`utcTime of ${JSON.stringify(value)} is ${expected}`, () =>
    assertEquals(utcTime(value), expected));
}
