/** What an engine tells of its health elsewhere, and how often. */
import { assert, assertEquals } from "@std/assert";
import { reportEveryMs } from "../../../lib/health/report.ts";

Deno.test("several reports fit into the time after which a loop is blocked, and none is told in a hot loop", () => {
  assertEquals([60, 10, 2, 1].map(reportEveryMs), [1000, 1000, 500, 250]);
  for (const seconds of [0.01, 0.001, 1e-9]) {
    assert(reportEveryMs(seconds) >= 20, `${reportEveryMs(seconds)}`);
  }
});
