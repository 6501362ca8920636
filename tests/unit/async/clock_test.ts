import { assertEquals } from "@std/assert";
import { systemClock } from "../../../lib/async/clock.ts";

const MONTH_MS = 30 * 86_400_000;

Deno.test("a wait beyond the longest timer of the machine is a long wait", async () => {
  let fired = false;
  const cancel = systemClock.after(MONTH_MS, () => fired = true);
  // A timer that overflows fires after a millisecond, before this one.
  await new Promise<void>((resolve) => void systemClock.after(20, resolve));
  assertEquals(fired, false);
  cancel();
});
