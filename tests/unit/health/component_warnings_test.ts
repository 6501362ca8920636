import { assertEquals } from "@std/assert";
import { HealthMonitor } from "../../../lib/health/monitor.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { logged } from "../../support/logged.ts";
import { FakeComponent } from "./support.ts";

/** A component that says what it is told to, and hangs where it has nothing to say. */
class Warning extends FakeComponent {
  says: string | undefined | "hangs" | "fails";
  asked = 0;

  warning(): Promise<string | undefined> {
    this.asked++;
    if (this.says === "hangs") return new Promise(() => {});
    return this.says === "fails" ? Promise.reject(new Error("gone")) : Promise.resolve(this.says);
  }
}

Deno.test("a warning comes and goes within ten seconds, is logged once, and pings go on beside one that hangs", async () => {
  const clock = new FakeClock();
  const broker = new Warning("broker");
  const monitor = new HealthMonitor({ components: [broker, new FakeComponent("cache")], clock });
  const shown = () => monitor.snapshot().components.map(({ warning }) => warning);
  const records = await logged(async () => {
    await monitor.start();
    await clock.advance(0);
    assertEquals(shown(), [undefined, undefined]);
    broker.says = "nearly full";
    await clock.advance(10_000);
    assertEquals(shown(), ["nearly full", undefined]);
    // Whoever does not answer is as it was.
    for (const says of ["hangs", "fails"] as const) {
      broker.says = says;
      await clock.advance(22_000);
      assertEquals(shown(), ["nearly full", undefined]);
    }
    assertEquals(broker.pings > 25, true);
    broker.says = undefined;
    await clock.advance(11_000);
    assertEquals(shown(), [undefined, undefined]);
    await monitor.stop();
  });
  const events = records.map(({ rawMessage }) => String(rawMessage)).filter((event) =>
    event.includes("warning")
  );
  assertEquals(events, ["health.component_warning", "health.component_warning_over"]);
  assertEquals(clock.pending, 0);
});
