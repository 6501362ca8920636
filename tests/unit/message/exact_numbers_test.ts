import { assertEquals } from "@std/assert";
import { mayHoldLongInteger } from "../../../lib/message/exact_numbers.ts";
import fc from "../../support/property.ts";

/** What is looked for, without a short cut. */
const LONG = /(?:^|[:,[\s])-?\d{16}/;

const pieces = fc.array(
  fc.oneof(
    fc.constantFrom("", "-", "--", ":", ",", "[", " ", "\n", ".", "e", '"', "x", "{", "}"),
    fc.integer({ min: 1, max: 40 }).map((length) => "7".repeat(length)),
    fc.integer({ min: 14, max: 18 }).map((length) => "9".repeat(length)),
  ),
  { maxLength: 30 },
);

Deno.test("a text with a long integer is found wherever it stands, and no other", () => {
  fc.assert(
    fc.property(pieces, (parts) => {
      const text = parts.join("");
      assertEquals(mayHoldLongInteger(text), LONG.test(text), text);
    }),
    { numRuns: 5000 },
  );
});
