import { assertEquals, assertStringIncludes } from "@std/assert";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { ComponentCheck } from "../../../lib/health/component_check.ts";
import { FakeComponent } from "./support.ts";

function setUp() {
  const clock = new FakeClock();
  const component = new FakeComponent();
  const check = new ComponentCheck(component, clock);
  const signal = new AbortController().signal;
  return { clock, component, check, ping: () => check.ping(1_000, signal) };
}

Deno.test("a component is unavailable until its first good ping", async () => {
  const { check, ping } = setUp();
  assertEquals(check.fault, { kind: "provider", name: "default" });
  await ping();
  assertEquals(check.fault, undefined);
});

Deno.test("one bad ping is forgiven, two in a row are not, one good one makes it available again", async () => {
  const { component, check, ping } = setUp();
  const seen: string[] = [];
  for (const mode of ["ok", "fails", "ok", "fails", "fails", "fails", "ok"] as const) {
    component.mode = mode;
    await ping();
    seen.push(check.fault ? "unavailable" : "ok");
  }
  assertEquals(seen, ["ok", "ok", "ok", "ok", "unavailable", "unavailable", "ok"]);
});

Deno.test("the fault says why a component is unavailable", async () => {
  const { component, check, ping } = setUp();
  component.mode = "fails";
  await ping();
  assertEquals(check.fault?.error?.message, "connection refused");
});

for (const mode of ["hangs", "ignores its signal"] as const) {
  Deno.test(`a ping that ${mode} counts as failed after its bound and leaves no timer`, async () => {
    const { clock, component, check, ping } = setUp();
    component.mode = mode;
    const pinged = ping();
    await clock.advance(1_000);
    await pinged;
    assertStringIncludes(check.fault?.error?.message ?? "", "1000 ms");
    assertEquals(clock.pending, 0);
  });
}

Deno.test("an aborted ping changes nothing", async () => {
  const { check, component, clock } = setUp();
  const abort = new AbortController();
  await check.ping(1_000, abort.signal);
  component.mode = "hangs";
  const pinged = check.ping(1_000, abort.signal);
  abort.abort();
  await pinged;
  await check.ping(1_000, abort.signal);
  assertEquals(check.fault, undefined);
  assertEquals(clock.pending, 0);
});
