import { assertEquals, assertStringIncludes } from "@std/assert";
import { markRetentionHours, shortMarks } from "../../../lib/maintenance/mark_retention.ts";
import { loadObject } from "../config/support.ts";

const subscription = (dlqRetentionHours: number, idempotent = true) => ({
  settings: { dlqRetentionHours, idempotent },
});

async function config(retention_hours?: number) {
  return (await loadObject({ consume_idempotency: { cleanup: { retention_hours } } })).config;
}

Deno.test("marks are kept for the longest retention of dead letters and a week for replays", async () => {
  const kept = [subscription(168), subscription(720)];
  assertEquals(markRetentionHours(await config(), kept), 720 + 168);
  assertEquals(markRetentionHours(await config(), []), 168 + 168);
  assertEquals(markRetentionHours(await config(5), kept), 5);
});

Deno.test("marks that are gone while their message may be replayed are told (PIPE-13)", async () => {
  const [warning, ...others] = shortMarks(await config(400), [subscription(720), subscription(168)]);
  assertEquals([warning?.code, warning?.level, others.length], ["CONFIG_SHORT_MARKS", "warning", 0]);
  assertStringIncludes(warning?.message ?? "", "is 400, and a dead letter may be replayed for 888 h");
  assertEquals([...shortMarks(await config(888), [subscription(720)])], []);
  assertEquals([...shortMarks(await config(), [subscription(720)])], []);
  assertEquals([...shortMarks(await config(1), [subscription(720, false)])], []);
});
