/**
 * The guarantees of delivery (docs/reference/guarantees.md) under random schedules of what can happen to a
 * subscription.
 */
import { assert, assertEquals } from "@std/assert";
import fc from "../../support/property.ts";
import type { SubscriptionSettings } from "../../../lib/subscription/settings/resolve.ts";
import type { StreamSubscription } from "../../../lib/subscription/stream_subscription.ts";
import type { Fault } from "../../support/flaky_broker.ts";
import { ScriptedRunner, SubscriptionRig } from "../../support/subscription_rig.ts";

const KEYS = ["a", "b", "c"];

/** A message: its handler fails so often and takes so long. */
interface Plan {
  readonly key: string;
  readonly fails: number;
  readonly ms: number;
}

interface Told extends Plan {
  readonly name: string;
  started: boolean;
  /** Runs that came to an end of their own: neither cut nor died with their process. */
  ended: number;
  handled: number;
}

type Step =
  | { readonly do: "publish"; readonly plans: readonly Plan[] }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "restart"; readonly patience: number }
  | { readonly do: "kill" }
  | { readonly do: "start" }
  | { readonly do: "faults"; readonly script: readonly (Fault | undefined)[] };

const publish = fc.record({
  do: fc.constant("publish" as const),
  plans: fc.array(
    fc.record({
      key: fc.constantFrom(...KEYS),
      fails: fc.constantFrom(0, 0, 0, 1, 2, 9),
      ms: fc.constantFrom(0, 0, 5, 300, 4000),
    }),
    { minLength: 1, maxLength: 8 },
  ),
});
const wait = fc.record({
  do: fc.constant("wait" as const),
  ms: fc.constantFrom(0, 1, 50, 700, 3000, 20_000),
});
const restart = fc.record({ do: fc.constant("restart" as const), patience: fc.constantFrom(0, 100, 10_000) });
const faults = fc.record({
  do: fc.constant("faults" as const),
  script: fc.array(fc.constantFrom<Fault | undefined>("refuse", "lose", undefined, undefined), {
    minLength: 1,
    maxLength: 12,
  }),
});
const kill = fc.constant({ do: "kill" as const });
const start = fc.constant({ do: "start" as const });

const change = fc.record({
  messagesPerTick: fc.integer({ min: 1, max: 5 }),
  concurrency: fc.integer({ min: 1, max: 4 }),
  maxRetries: fc.integer({ min: 1, max: 4 }),
  retryDelaySeconds: fc.constantFrom(0, 1),
  blockingTimeoutMs: fc.constant(30_000),
});

/** Some processes of one group, the messages that they are given, and what has become of them. */
class World {
  readonly rig = new SubscriptionRig();
  readonly messages: Told[] = [];
  readonly #processes: { subscription: StreamSubscription; alive: boolean }[] = [];
  readonly #numbers = new Map<string, number>();
  /** By key: the message that runs. */
  readonly running = new Map<string, string>();
  #faults: readonly (Fault | undefined)[] = [];
  #at = 0;
  killed = false;
  /** The broker has failed: an attempt may have been counted twice. */
  disturbed = false;
  /** What was not handed back when a process ended is claimed after younger messages were read. */
  restarted = false;

  constructor(private readonly change: Partial<SubscriptionSettings>) {
    this.rig.broker.fault = (operation) =>
      operation === "close" ? undefined : this.#faults[this.#at++ % Math.max(1, this.#faults.length)];
  }

  /** One that has lived through all of this, and in which everything has come to rest. */
  static async through(change: Partial<SubscriptionSettings>, steps: readonly Step[]): Promise<World> {
    const world = new World(change);
    await world.start();
    for (const step of steps) await world.step(step);
    await world.end();
    return world;
  }

  async step(step: Step): Promise<void> {
    switch (step.do) {
      case "publish":
        return await this.#publish(step.plans);
      case "wait":
        return await this.rig.clock.advance(step.ms);
      case "faults":
        this.#faults = step.script;
        this.disturbed = true;
        return;
      case "start":
        if (this.#alive().length < 3) await this.start();
        return;
      case "kill":
        return this.#kill();
      case "restart": {
        this.restarted = true;
        const subscription = this.#alive()[0];
        if (subscription) await this.#stop(subscription, step.patience);
        return await this.start();
      }
    }
  }

  async start(): Promise<void> {
    const process = { alive: true };
    const runner = new ScriptedRunner(async ({ id, n, options: { signal } }) => {
      if (!process.alive) await new Promise(() => {});
      const told = this.#told(`${id}${n}`);
      assertEquals(
        this.killed ? undefined : this.running.get(id),
        undefined,
        "two of one stream ran at once",
      );
      this.running.set(id, told.name);
      told.started = true;
      this.#assertOrder(told);
      if (told.ms > 0) await this.#work(told.ms, signal);
      if (!process.alive) await new Promise(() => {});
      this.running.delete(id);
      if (signal.aborted) throw new Error("cut");
      told.ended++;
      if (told.ended <= told.fails) throw new Error(`attempt ${told.ended}`);
      told.handled++;
    });
    const subscription = this.rig.subscribe(runner, this.change);
    this.#processes.push(Object.assign(process, { subscription }));
    await subscription.start();
    await this.rig.clock.advance(0);
  }

  /** Mends everything, gives it time, and returns what is wrong. */
  async end(): Promise<void> {
    this.#faults = [];
    if (this.#alive().length === 0) await this.start();
    await this.rig.clock.advance(300_000);
    for (const subscription of this.#alive()) {
      assertEquals(subscription.outstanding, 0, "something never left the inbox");
    }
    const pending = await this.rig.pending(new ScriptedRunner());
    assertEquals(pending, [], "something is pending for ever");
    for (const subscription of this.#alive()) await this.#stop(subscription, 0);
    if (!this.killed) assertEquals(this.rig.clock.pending, 0, "a timer is left");
    await this.rig.broker.close();
  }

  async dead(): Promise<Map<string, number>> {
    const dead = new Map<string, number>();
    for (const letter of await this.rig.deadLetters()) {
      const { id, n } = letter["data"] as { id: string; n: number };
      dead.set(`${id}${n}`, (dead.get(`${id}${n}`) ?? 0) + 1);
    }
    return dead;
  }

  #alive(): StreamSubscription[] {
    return this.#processes.filter(({ alive }) => alive).map(({ subscription }) => subscription);
  }

  async #publish(plans: readonly Plan[]): Promise<void> {
    const names = plans.map((plan) => {
      const n = (this.#numbers.get(plan.key) ?? 0) + 1;
      this.#numbers.set(plan.key, n);
      this.messages.push({ ...plan, name: `${plan.key}${n}`, started: false, ended: 0, handled: 0 });
      return `${plan.key}${n}`;
    });
    await this.rig.publish(names.join(" "));
  }

  #kill(): void {
    const victim = this.#processes.find(({ alive }) => alive);
    if (!victim) return;
    victim.alive = false;
    this.killed = true;
    this.rig.kill(victim.subscription);
  }

  /** As the drain does it. */
  async #stop(subscription: StreamSubscription, patience: number): Promise<void> {
    let stopped = false;
    const stopping = subscription.stop().then(() => stopped = true);
    await this.rig.clock.advance(patience);
    subscription.cut();
    await this.rig.clock.advance(1000);
    subscription.abandon();
    await this.rig.clock.advance(1500);
    assert(stopped, "the subscription does not stop");
    await stopping;
    for (const process of this.#processes) if (process.subscription === subscription) process.alive = false;
    if (!this.killed) this.running.clear();
  }

  async #work(ms: number, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.rig.clock.after(ms, () => resolve());
      signal.addEventListener("abort", () => {
        cancel();
        resolve();
      });
    });
  }

  #told(name: string): Told {
    const told = this.messages.find((message) => message.name === name);
    assert(told);
    return told;
  }

  /**
   * Within one process, nothing starts before all earlier messages of its stream are handled or
   * dead-lettered.
   */
  #assertOrder(told: Told): void {
    if (this.killed || this.#alive().length > 1 || this.disturbed && this.restarted) return;
    const { maxRetries = 3 } = this.change;
    for (const earlier of this.messages) {
      if (earlier.name === told.name) return;
      if (earlier.key !== told.key) continue;
      const over = this.disturbed ? earlier.started : earlier.handled > 0 || earlier.ended >= maxRetries;
      assert(over, `${told.name} ran before ${earlier.name}`);
    }
  }
}

Deno.test("whatever is published, slow, failing or restarted: order per stream, attempts as configured, nothing left behind", async () => {
  const steps = fc.array(
    fc.oneof({ arbitrary: publish, weight: 3 }, { arbitrary: wait, weight: 3 }, restart),
    {
      maxLength: 12,
    },
  );
  await fc.assert(
    fc.asyncProperty(change, steps, async (change, steps) => {
      const world = await World.through(change, steps);
      const dead = await world.dead();
      for (const { name, fails, ended, handled } of world.messages) {
        assertEquals(ended, Math.min(fails + 1, change.maxRetries), `attempts of ${name}`);
        assertEquals(handled, fails < change.maxRetries ? 1 : 0, `effects of ${name}`);
        assertEquals(dead.get(name) ?? 0, fails < change.maxRetries ? 0 : 1, `dead letters of ${name}`);
      }
    }),
    { numRuns: 100 },
  );
});

Deno.test("a broker that refuses and loses answers costs no message, and dead-letters none twice", async () => {
  const steps = fc.array(
    fc.oneof({ arbitrary: publish, weight: 3 }, { arbitrary: wait, weight: 3 }, restart, faults),
    { maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(change, steps, async (change, steps) => {
      const world = await World.through(change, steps);
      await assertNothingLost(world);
    }),
    { numRuns: 100 },
  );
});

Deno.test("processes that die, come and go cost no message, and dead-letter none twice", async () => {
  const steps = fc.array(
    fc.oneof({ arbitrary: publish, weight: 3 }, { arbitrary: wait, weight: 3 }, restart, start, kill, faults),
    { maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(change, steps, async (change, steps) => {
      const world = await World.through(change, steps);
      await assertNothingLost(world);
    }),
    { numRuns: 100 },
  );
});

async function assertNothingLost(world: World): Promise<void> {
  const dead = await world.dead();
  for (const { name, handled } of world.messages) {
    assert(handled > 0 || dead.has(name), `${name} is lost`);
    assert((dead.get(name) ?? 0) <= 1, `${name} was dead-lettered twice`);
  }
}
