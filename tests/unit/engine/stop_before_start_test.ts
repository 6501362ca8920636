import { assertEquals } from "@std/assert";
import { Domain, Engine } from "../../../lib/mod.ts";

Deno.test("an engine that is told to stop before it has begun ends with 0", async () => {
  const domain = new Domain("early");
  const code = await new Engine(domain).run({ signal: AbortSignal.abort("SIGTERM") });
  assertEquals(code, 0);
  assertEquals(await domain.close(), []);
});
