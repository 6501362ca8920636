/**
 * The SQLite broker under the broker suite, and what only it can do.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { AdapterOptions } from "../../lib/adapters/ports.ts";
import { SqliteBroker } from "../../lib/adapters/sqlite/broker.ts";
import { FakeClock } from "../../lib/testing/fake_clock.ts";
import { brokerModel } from "../../lib/testing/conformance/broker_model_suite.ts";
import { brokerConformance } from "../../lib/testing/conformance/broker_suite.ts";

function options(folder: string, clock: FakeClock): AdapterOptions {
  return { name: "default", domain: "shop", settings: { URI: "sqlite:///streams.db" }, folder, clock };
}

async function open() {
  const clock = new FakeClock();
  const folder = await Deno.makeTempDir();
  const brokers: SqliteBroker[] = [];
  const another = async () => {
    const broker = new SqliteBroker(options(folder, clock));
    await broker.open();
    brokers.push(broker);
    return broker;
  };
  return {
    broker: await another(),
    another,
    elapse: (ms: number) => clock.advance(ms),
    close: async () => {
      for (const broker of brokers) await broker.close();
      assertEquals(clock.pending, 0, "no timer is left behind");
      await Deno.remove(folder, { recursive: true });
    },
  };
}

brokerConformance("sqlite", open);
brokerModel("sqlite", open, { exact: true });
