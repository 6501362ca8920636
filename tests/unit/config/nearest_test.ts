import { assertEquals } from "@std/assert";
import fc from "../../support/property.ts";
import { didYouMean, endingWithHint, nearest } from "../../../lib/config/nearest.ts";

const CASES: readonly (readonly [string, readonly string[], string | undefined])[] = [
  ["steam", ["stream", "event_store"], "stream"],
  ["eventstore", ["stream", "event_store"], "event_store"],
  ["Stream", ["stream", "event_store"], "stream"],
  ["messages_per_tik", ["messages_per_tick", "tick_interval"], "messages_per_tick"],
  ["messages_per_tick", ["messagesPerTick", "maxRetries"], "messagesPerTick"],
  ["prod", ["production", "projection"], "production"],
  ["uri", ["provider", "database_uri"], "database_uri"],
  ["ofr", ["for", "off"], "for"],
  ["databses", ["databases", "brokers"], "databases"],
  ["zzz", ["stream", "event_store"], undefined],
  ["", ["stream"], undefined],
  ["x", [], undefined],
];

Deno.test("nearest finds the word that a typist may have meant", () => {
  for (const [word, candidates, expected] of CASES) {
    assertEquals(nearest(word, candidates)[0], expected, `'${word}' among ${candidates}`);
  }
});

Deno.test("nearest answers at most as many words as asked, best first", () => {
  assertEquals(nearest("PlaceOder", ["PlaceOrderings", "PlaceOrder", "PlacedOrder", "Ship"], 2), [
    "PlaceOrder",
    "PlacedOrder",
  ]);
});

Deno.test("nearest finds a known word as itself, whatever its letter case", () => {
  fc.assert(fc.property(fc.stringMatching(/^[a-z_]{1,20}$/), (word) => {
    fc.pre(word.replaceAll("_", "") !== "");
    assertEquals(nearest(word.toUpperCase(), [word]), [word]);
  }));
});

Deno.test("nearest forgives one slip in a word of three letters or more", () => {
  fc.assert(fc.property(fc.stringMatching(/^[a-z]{3,20}$/), fc.nat(), (word, place) => {
    const at = place % word.length;
    assertEquals(nearest(word.slice(0, at) + "0" + word.slice(at + 1), [word]), [word]);
  }));
});

Deno.test("a hint is a sentence of its own or the end of one, and nothing when nothing is near", () => {
  assertEquals(didYouMean("steam", ["stream"]), " Did you mean 'stream'?");
  assertEquals(didYouMean("zzz", ["stream"]), "");
  assertEquals(endingWithHint("steam", ["stream", "steams"], 2), "; did you mean 'steams' or 'stream'?");
  assertEquals(endingWithHint("zzz", ["stream"]), ".");
});
