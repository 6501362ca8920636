import { assert, assertEquals, assertFalse } from "@std/assert";
import process from "node:process";
import { isDead, selfIdentity } from "../../../../lib/adapters/sqlite/process_identity.ts";

const hasProc = Deno.build.os === "linux";

Deno.test("selfIdentity names this process, always in the same words", () => {
  assertEquals(selfIdentity().pid, process.pid);
  assertEquals(selfIdentity(), selfIdentity());
  assertFalse(isDead(selfIdentity()));
});

Deno.test({
  name: "isDead knows a process that has ended",
  ignore: !hasProc,
  fn: async () => {
    const child = new Deno.Command("true").spawn();
    const identity = { ...selfIdentity(), pid: child.pid };
    await child.status;
    assert(isDead(identity));
  },
});

Deno.test({
  name: "isDead knows that another process has the pid now",
  ignore: !hasProc,
  fn: () => {
    const { pid, startedAt } = selfIdentity();
    const earlier = startedAt.replace(/ \d+$/, " 1");
    assert(isDead({ pid, startedAt: earlier }));
    assert(isDead({ pid: process.ppid, startedAt: earlier }));
  },
});

const UNKNOWN: readonly (readonly [what: string, startedAt: (own: string) => string])[] = [
  ["another machine", (own) => `elsewhere-${own}`],
  ["another boot", (own) => own.replace(/[0-9a-f]{8}-/, "00000000-")],
  ["another container's process numbers", (own) => own.replace(/pid:\[\d+\]/, "pid:[1]")],
  ["a system that does not tell", () => "?3b0c"],
  ["nobody", () => ""],
];

for (const [what, startedAt] of UNKNOWN) {
  Deno.test(`isDead calls no process of ${what} dead`, () => {
    assertFalse(isDead({ pid: 4_000_000, startedAt: startedAt(selfIdentity().startedAt) }));
  });
}
