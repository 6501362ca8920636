import { assertEquals } from "@std/assert";
import { MemoryProvider } from "../../../lib/adapters/memory/provider.ts";
import { Domain, Engine } from "../../../lib/mod.ts";

Deno.test("an engine that is told to stop before it has begun ends with 0", async () => {
  const domain = new Domain("early");
  const code = await new Engine(domain).run({ signal: AbortSignal.abort("SIGTERM") });
  assertEquals(code, 0);
  assertEquals(await domain.close(), []);
});

Deno.test("an init that is told to stop while its adapters open rejects with the very reason", async () => {
  const domain = new Domain("early");
  const stop = new AbortController();
  domain.registerAdapter(
    "provider",
    "stopping",
    class extends MemoryProvider {
      override open(): Promise<void> {
        stop.abort("SIGTERM");
        return super.open();
      }
    },
  );
  const stopping = { provider: "stopping" };
  const databases = { default: stopping, second: stopping };
  const thrown = await domain.init({ config: { databases }, signal: stop.signal }).catch((reason) => reason);
  assertEquals(thrown, "SIGTERM");
});
