/** What `/api/health` says of Redis: as Redis writes it, and null where nobody knows. */
import { assertEquals } from "@std/assert";
import { factsOf } from "../../../lib/adapters/redis/server_facts.ts";
import { redisFigures } from "../../../lib/observatory/redis_figures.ts";

Deno.test("what INFO says arrives under the reference's names", () => {
  const facts = factsOf(
    "# Server\r\nredis_version:7.2.4\r\nuptime_in_seconds:3600\r\nconnected_clients:12\r\n" +
      "used_memory:1101004\r\nused_memory_human:1.05M\r\ninstantaneous_ops_per_sec:800\r\n",
  );
  assertEquals(redisFigures(true, facts), {
    ...{ healthy: true, version: "7.2.4", connected_clients: 12, memory: "1.05M", uptime_seconds: 3600 },
    ops_per_sec: 800,
  });
});

for (
  const [bytes, memory] of [[0, "0B"], [1023, "1023B"], [2048, "2.00K"], [1.5 * 2 ** 30, "1.50G"]] as const
) {
  Deno.test(`${bytes} bytes are ${memory}`, () => {
    assertEquals(redisFigures(true, { product: "Redis", usedMemory: bytes }).memory, memory);
  });
}

Deno.test("what nobody could say is null", () => {
  assertEquals(redisFigures(false, undefined), {
    ...{ healthy: false, version: null, connected_clients: null, memory: null, uptime_seconds: null },
    ops_per_sec: null,
  });
});
