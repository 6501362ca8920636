/** The auditor must be able to find what it looks for. */
import { assertEquals } from "@std/assert";
import { complaint, type Effect, judge } from "./verdict.ts";

const HANDLER = "EffectHandler";

/** `a1 b2`: keys and numbers. */
function effects(text: string, handler = HANDLER): Effect[] {
  return text.split(" ").filter((word) => word !== "").map((word) => ({
    handler,
    key: word.slice(0, 1),
    n: Number(word.slice(1)),
  }));
}

function verdict(committed: Record<string, number>, done: string, delivered = done) {
  return judge(HANDLER, {
    committed: new Map(Object.entries(committed)),
    effects: effects(done),
    deliveries: effects(delivered).map((effect) => ({ ...effect, process: 1 })),
  });
}

const nothing = { lost: [], doubled: [], disordered: [], invented: [] };

Deno.test("the auditor finds nothing when every event has one effect, in the order of its key", () => {
  assertEquals(verdict({ a: 3, b: 2 }, "a1 b1 a2 b2 a3"), nothing);
});

Deno.test("the auditor does not mind events that were delivered more often than they had an effect", () => {
  assertEquals(verdict({ a: 2 }, "a1 a2", "a1 a1 a2 a2 a2"), nothing);
});

Deno.test("the auditor finds events without an effect, also at the end of a key and of whole keys", () => {
  assertEquals(verdict({ a: 3, b: 1 }, "a1", "a1 a3"), { ...nothing, lost: ["a2", "a3", "b1"].map(spelt) });
});

Deno.test("the auditor finds second effects and does not call them disorder", () => {
  assertEquals(verdict({ a: 2 }, "a1 a2 a1"), { ...nothing, doubled: ["a/1"] });
});

Deno.test("the auditor finds effects that follow a later one of their key", () => {
  assertEquals(verdict({ a: 3, b: 1 }, "a1 a3 b1 a2"), { ...nothing, disordered: ["a/2"] });
});

Deno.test("the auditor finds effects of what was not committed or not delivered", () => {
  assertEquals(verdict({ a: 1 }, "a1 a2"), { ...nothing, invented: ["a/2"] });
  assertEquals(verdict({ a: 2 }, "a1 a2", "a1"), { ...nothing, invented: ["a/2"] });
});

Deno.test("the auditor judges each handler by itself", () => {
  const evidence = {
    committed: new Map([["a", 1]]),
    effects: effects("a1", "Other"),
    deliveries: effects("a1", "Other").map((effect) => ({ ...effect, process: 1 })),
  };
  assertEquals(judge("Other", evidence), nothing);
  assertEquals(judge(HANDLER, evidence).lost, ["a/1"]);
});

Deno.test("a complaint counts its findings, names some, and speaks of order only where it was promised", () => {
  const found = verdict({ a: 9 }, "a3 a1 a3");
  assertEquals(
    complaint(found, true),
    "7 lost (a/2, a/4, a/5, a/6, a/7, …); 1 doubled (a/3); 1 disordered (a/1)",
  );
  assertEquals(complaint(found, false), "7 lost (a/2, a/4, a/5, a/6, a/7, …); 1 doubled (a/3)");
  assertEquals(complaint(nothing, true), "");
});

function spelt(name: string): string {
  return `${name.slice(0, 1)}/${name.slice(1)}`;
}
