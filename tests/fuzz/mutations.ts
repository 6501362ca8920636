/**
 * Texts that are nearly right.
 *
 * @module
 */
import fc from "../support/property.ts";

interface Change {
  readonly kind: "insert" | "remove" | "replace" | "repeat" | "cut" | "swap";
  /** Places in the text, from 0 to below 1. */
  readonly at: number;
  readonly other: number;
  readonly length: number;
  readonly token: string;
}

const place = fc.integer({ min: 0, max: 9_999 }).map((n) => n / 10_000);

/** `base` with up to `most` changes in it; what is put in comes from `tokens`, or is any text. */
export function mutated(
  base: fc.Arbitrary<string>,
  tokens: readonly string[],
  most = 6,
): fc.Arbitrary<string> {
  const change: fc.Arbitrary<Change> = fc.record({
    kind: fc.constantFrom("insert", "insert", "remove", "replace", "repeat", "cut", "swap"),
    at: place,
    other: place,
    length: fc.integer({ min: 1, max: 24 }),
    token: fc.oneof(fc.constantFrom(...tokens), fc.string({ unit: "binary", maxLength: 4 })),
  });
  return fc.tuple(base, fc.array(change, { maxLength: most })).map(([text, changes]) =>
    changes.reduce(changed, text)
  );
}

function changed(text: string, { kind, at, other, length, token }: Change): string {
  const from = Math.floor(at * (text.length + 1));
  const to = Math.min(text.length, from + length);
  const piece = text.slice(from, to);
  switch (kind) {
    case "insert":
      return text.slice(0, from) + token + text.slice(from);
    case "remove":
      return text.slice(0, from) + text.slice(to);
    case "replace":
      return text.slice(0, from) + token + text.slice(to);
    case "repeat":
      return text.slice(0, from) + piece.repeat(3) + text.slice(to);
    case "cut":
      return text.slice(0, from);
    case "swap": {
      const rest = text.slice(0, from) + text.slice(to);
      const there = Math.floor(other * (rest.length + 1));
      return rest.slice(0, there) + piece + rest.slice(there);
    }
  }
}
