import { assertEquals, assertThrows } from "@std/assert";
import { cacheTtl } from "../../../lib/adapters/cache_ttl.ts";
import { systemClock } from "../../../lib/async/clock.ts";
import { ConfigurationError } from "../../../lib/errors.ts";

const options = (TTL: unknown) => ({
  name: "default",
  domain: "shop",
  folder: "/",
  clock: systemClock,
  settings: TTL === undefined ? {} : { TTL },
});

for (
  const [TTL, ms] of [[undefined, 300_000], ["", 300_000], [60, 60_000], ["60", 60_000], [0.5, 500]] as const
) {
  Deno.test(`cacheTtl reads ${JSON.stringify(TTL)} as ${ms} ms`, () =>
    assertEquals(cacheTtl(options(TTL)), ms));
}

for (const TTL of [0, -1, -0.1, NaN, Infinity, "soon", {}]) {
  Deno.test(`cacheTtl refuses ${JSON.stringify(TTL) ?? TTL} (${TTL})`, () => {
    assertThrows(
      () => cacheTtl(options(TTL)),
      ConfigurationError,
      "TTL must be a positive number of seconds",
    );
  });
}
