/** What is wrong ends the start, what is away does not (HLT-3; issue 3, bad input). */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { MemoryBroker } from "../../../lib/adapters/memory/broker.ts";
import { MemoryProvider } from "../../../lib/adapters/memory/provider.ts";
import type { ProviderSession } from "../../../lib/adapters/ports.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { preflight, type PreflightParts } from "../../../lib/engine/preflight.ts";
import { BrokerUnavailableError, ConfigurationError, UnavailableError } from "../../../lib/errors.ts";
import { logged } from "../../support/logged.ts";
import type { ComponentFault } from "../../../lib/health/types.ts";

const refused = new ConfigurationError("The password is wrong: correct it.", { code: "REFUSED" });
const gone = new BrokerUnavailableError("Nobody answers: start the broker.");

const tables = [{ kind: "aggregate", name: "protean_shop_order" }] as const;

class Rig {
  readonly clock = new FakeClock();
  readonly provider: MemoryProvider;
  readonly broker: MemoryBroker;
  asked: string[] = [];
  /** Of the checks that were left to the background. */
  ended: Promise<void> | undefined;

  constructor() {
    const options = { name: "default", domain: "shop", settings: {}, folder: ".", clock: this.clock };
    this.provider = new MemoryProvider(options);
    this.broker = new MemoryBroker(options);
    this.broker.length = (stream) => {
      this.asked.push(stream);
      return Promise.resolve(0);
    };
  }

  async run(change: Partial<PreflightParts> = {}, ...missing: ComponentFault[]): Promise<void> {
    await MemoryProvider.prototype.setup.call(this.provider, "all", tables);
    this.ended = (await preflight({
      check: () => Promise.resolve(missing),
      providers: [this.provider],
      tables: new Map([["default", tables]]),
      streams: ["shop::order", "shop::order"].map((category) => ({ broker: this.broker, category })),
      required: false,
      clock: this.clock,
      ...change,
    })).ended;
  }
}

function unavailable(kind: ComponentFault["kind"], error: Error): ComponentFault {
  return { kind, name: "default", error };
}

Deno.test("the start goes on when everything answers, each stream and its dead letters looked at once", async () => {
  const rig = new Rig();
  await rig.run();
  assertEquals(rig.asked, ["shop::order", "shop::order:dlq"]);
  assertEquals(rig.clock.pending, 0);
});

Deno.test("what does not answer is waited for, and asked nothing further", async () => {
  const rig = new Rig();
  rig.provider.setup = () => Promise.reject(refused);
  await rig.run({}, unavailable("broker", gone), unavailable("provider", gone));
  assertEquals(rig.asked, []);
});

Deno.test("what is required and does not answer ends the start with its name and reason", async () => {
  const error = await assertRejects(
    () => new Rig().run({ required: true }, unavailable("event_store", gone)),
    UnavailableError,
  );
  assertStringIncludes(error.message, "event store 'default': Nobody answers: start the broker.");
  assert(!error.message.includes(".."));
});

Deno.test("a check that takes longer than the look ends in the background, and tells what it finds (D8)", async () => {
  const rig = new Rig();
  const answer = Promise.withResolvers<number>();
  rig.broker.length = () => answer.promise;
  const running = rig.run();
  await rig.clock.advance(2_000);
  await running;
  let isOver = false;
  const over = rig.ended?.then(() => isOver = true);
  const records = await logged(async () => {
    await rig.clock.advance(10_000);
    assertEquals(isOver, false);
    answer.reject(refused);
    await over;
  });
  assertEquals(records.map(({ rawMessage, properties }) => [rawMessage, properties["error"]]), [
    ["engine.start_check_failed", refused.message],
    ["engine.start_check_failed", refused.message],
  ]);
});

Deno.test("what refuses us ends the start, required or not", async () => {
  const error = await assertRejects(() => new Rig().run({}, unavailable("broker", refused)));
  assertEquals(error, refused);
});

Deno.test("a database whose own tables are wrong ends the start", async () => {
  const rig = new Rig();
  rig.provider.setup = () => Promise.reject(refused);
  assertEquals(await assertRejects(() => rig.run()), refused);
});

Deno.test("a database whose own tables may not be used ends the start", async () => {
  const rig = new Rig();
  rig.provider.verify = () => Promise.reject(refused);
  assertEquals(await assertRejects(() => rig.run()), refused);
});

Deno.test("a stream key of another type ends the start", async () => {
  const rig = new Rig();
  rig.broker.length = () => Promise.reject(refused);
  assertEquals(await assertRejects(() => rig.run()), refused);
});

Deno.test("several faults are told together, each once", async () => {
  const rig = new Rig();
  const other = new ConfigurationError("The table is not ours: move it.");
  rig.provider.setup = () => Promise.reject(other);
  rig.broker.length = () => Promise.reject(refused);
  const error = await assertRejects(() => rig.run({}, unavailable("cache", refused)), ConfigurationError);
  assertEquals(error.message, `${refused.message}\n${other.message}`);
  assertEquals(error.problems.map(({ code }) => code), ["REFUSED", "CONFIGURATION"]);
});

for (
  const [code, ends] of [["DATABASE_TABLE_MISSING", false], ["DATABASE_TABLE_DIFFERS", true]] as const
) {
  Deno.test(`a table of the domain with ${code} ${ends ? "ends" : "does not end"} the start`, async () => {
    const rig = new Rig();
    const fault = new ConfigurationError("The table is not right: see to it.", { code });
    let rolledBack = 0;
    rig.provider.session = () =>
      ({
        load: () => Promise.reject(fault),
        rollback: () => Promise.resolve(void rolledBack++),
      }) as unknown as ProviderSession;
    if (ends) assertEquals(await assertRejects(() => rig.run()), fault);
    else await rig.run();
    assertEquals(rolledBack, 1);
  });
}

Deno.test("a database that falls silent after its ping holds the start up for two seconds", async () => {
  const rig = new Rig();
  rig.provider.setup = () => new Promise(() => {});
  let over = false;
  const running = rig.run().then(() => over = true);
  await rig.clock.advance(1900);
  assertEquals(over, false);
  await rig.clock.advance(200);
  assertEquals(over, true);
  await running;
});
