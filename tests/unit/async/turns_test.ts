import { assertEquals } from "@std/assert";
import { Turns } from "../../../lib/async/turns.ts";

const [A, B, C] = [{}, {}, {}];

function taken(turns: Turns<string>): string {
  const names: string[] = [];
  for (let next = turns.take(); next !== undefined; next = turns.take()) names.push(next);
  return names.join(" ");
}

function line(...waiting: readonly (readonly [string, object?])[]): Turns<string> {
  const turns = new Turns<string>();
  for (const [name, owner] of waiting) turns.add(name, owner);
  return turns;
}

Deno.test("owners take turns, however many places one has, each first come, first served", () => {
  assertEquals(
    taken(line(["a1", A], ["a2", A], ["a3", A], ["b1", B], ["b2", B], ["c1", C])),
    "a1 b1 c1 a2 b2 a3",
  );
});

Deno.test("whoever waits on nobody's behalf is served at every second turn", () => {
  assertEquals(taken(line(["a1", A], ["a2", A], ["b1", B], ["x"], ["y"], ["z"])), "x a1 y b1 z a2");
  assertEquals(taken(line(["x"], ["y"], ["z"])), "x y z");
});

Deno.test("an owner that was served and comes again stands behind the others", () => {
  const turns = line(["a1", A], ["b1", B]);
  assertEquals(turns.take(), "a1");
  turns.add("a2", A);
  turns.add("c1", C);
  assertEquals(taken(turns), "b1 a2 c1");
});

Deno.test("whoever leaves the line is not served, and is not counted", () => {
  const turns = line(["a1", A], ["a2", A], ["x"]);
  turns.delete("a1", A);
  turns.delete("x", undefined);
  turns.delete("x", undefined);
  turns.delete("b", B);
  assertEquals([turns.size, taken(turns), turns.size], [1, "a2", 0]);
});

Deno.test("clear hands out everybody", () => {
  const turns = line(["a1", A], ["x"]);
  assertEquals([turns.clear(), turns.size, turns.take()], [["x", "a1"], 0, undefined]);
});
