/** When one that was cut off from Redis judges the others again (D11). */
import { assert } from "@std/assert";
import { judgesAfterOutage } from "../../../../lib/adapters/redis/presence.ts";
import { LONGEST_RECONNECT_MS } from "../../../../lib/adapters/redis/outage.ts";

for (const connectMs of [100, 5_000, 30_000]) {
  Deno.test(`nobody is judged before the slowest of the others can have shown itself (connect timeout ${connectMs} ms)`, () => {
    // Its attempt began in the last moment of the outage, failed, and the longest wait came before the next.
    const slowestMs = connectMs + LONGEST_RECONNECT_MS + 1_000;
    assert(judgesAfterOutage({ connectMs }) > 1.25 * slowestMs);
  });
}
