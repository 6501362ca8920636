/**
 * Messages whose writer gave no id or no stream: nothing without an identity is taken for something with one
 * (issue 10, H1).
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Domain, on } from "@protean/server";
import { z } from "zod";
import { inheritedByCommand, inheritedByEvent } from "../../../lib/domain/work/outgoing.ts";
import { decodeMessage } from "../../../lib/message/envelope.ts";
import { replayLane } from "../../../lib/message/names.ts";
import { CATEGORY, ScriptedRunner, SubscriptionRig } from "../../support/subscription_rig.ts";
import { FREE, handle, runnerOf, started } from "../domain/fixture.ts";

const ABSENT = Symbol("absent");
const NO_IDENTITY: readonly unknown[] = [ABSENT, null, "", false, [], {}];

/** A message whose `headers.id` and `headers.stream` are as given, whatever they are. */
function text(id: string, given: { id?: unknown; stream?: unknown; kind?: string; type?: string }): string {
  const headers: Record<string, unknown> = { type: given.type ?? "Shop.Placed.v1" };
  if (given.id !== ABSENT) headers["id"] = given.id;
  if (given.stream !== ABSENT) headers["stream"] = given.stream;
  return JSON.stringify({ data: { id }, metadata: { headers, domain: { kind: given.kind ?? "EVENT" } } });
}

/**
 * A domain with handlers that note the ids they get; `Views` has a second method that the test may make fail.
 */
function shop() {
  const seen: Record<string, string[]> = { Plain: [], Events: [], Commands: [], Views: [] };
  const broken = { second: false };
  const note = (name: string) => ({ id }: { id: string }) => void seen[name]?.push(id);
  const domain = new Domain("shop");
  const schema = z.object({ id: z.string() });
  const Order = domain.aggregate("Order", { schema });
  const Placed = domain.event("Placed", { partOf: Order, schema });
  const Place = domain.command("Place", { partOf: Order, schema });
  const View = domain.projection("View", { schema });
  domain.eventHandler("Plain", { partOf: Order, handles: [on(Placed, note("Plain"))] });
  domain.eventHandler("Events", { partOf: Order, idempotent: true, handles: [on(Placed, note("Events"))] });
  domain.commandHandler("Commands", { partOf: Order, handles: [on(Place, note("Commands"))] });
  domain.projector("Views", {
    projection: View,
    idempotent: true,
    streamCategories: ["shop::order"],
    handles: [
      on(Placed, note("Views")),
      on(Placed, () => {
        if (broken.second) throw new Error("broken");
      }),
    ],
  });
  return { domain, seen, broken };
}

const KINDS = [["Plain", "EVENT"], ["Events", "EVENT"], ["Views", "EVENT"], ["Commands", "COMMAND"]] as const;

for (const [name, kind] of KINDS) {
  const type = kind === "COMMAND" ? "Shop.Place.v1" : "Shop.Placed.v1";
  Deno.test(`${name}: messages without an id run once each, absent, null, empty or none at all (command-without-id)`, async () => {
    const { domain, seen } = shop();
    await using running = await started(domain);
    const rig = new SubscriptionRig();
    const subscription = rig.subscribe(runnerOf(running.runtime, name), { idempotent: name !== "Plain" });
    await subscription.start();
    const expected: string[] = [];
    for (const given of NO_IDENTITY) {
      for (const stream of [given, `${CATEGORY}-1`]) {
        const id = String(expected.length);
        expected.push(id);
        await rig.send(text(id, { id: given, stream, kind, type }));
      }
    }
    await rig.clock.advance(1_000);
    assertEquals(seen[name]?.toSorted(), expected.toSorted());
    assertEquals(await rig.deadLetters(), []);
    await rig.close(subscription);
  });
}

for (const [name, kind] of KINDS.filter(([name]) => name !== "Plain")) {
  Deno.test(`${name}: a repeated id is one message, and other data under it is dead-lettered, never dropped`, async () => {
    const type = kind === "COMMAND" ? "Shop.Place.v1" : "Shop.Placed.v1";
    const { domain, seen } = shop();
    await using running = await started(domain);
    const rig = new SubscriptionRig();
    const subscription = rig.subscribe(runnerOf(running.runtime, name), { idempotent: true });
    await subscription.start();
    const message = (id: string, given: unknown) =>
      text(id, { id: given, stream: `${CATEGORY}-1`, kind, type });
    for (const given of ["m", " ", "0", 0, -1, 1e21]) {
      await rig.send(message("a", given), message("a", given), message("b", given));
    }
    // Numbers are read as their texts.
    assertEquals(seen[name], ["a", "a", "a", "a", "a"]);
    const letters = await rig.deadLetters();
    assertEquals(letters.length, 6);
    for (const letter of letters) {
      assertStringIncludes(JSON.stringify(letter), "has other data than the message");
    }
    await rig.close(subscription);
  });
}

Deno.test("a repeated id is one message, wherever it stands", async () => {
  const { domain, seen } = shop();
  await using running = await started(domain);
  const rig = new SubscriptionRig();
  const subscription = rig.subscribe(runnerOf(running.runtime, "Events"), { idempotent: true });
  await subscription.start();
  await rig.send(text("a", { id: "m" }), text("a", { id: "m" }), text("b", { id: "n" }));
  assertEquals(seen["Events"], ["a", "b"]);
  assertEquals(subscription.counters.duplicates, 1);
  await rig.close(subscription);
});

Deno.test("a message without an id that is delivered again is known by its entry", async () => {
  const { domain, seen } = shop();
  await using running = await started(domain);
  const runner = runnerOf(running.runtime, "Events");
  const found = (source: string) => ({ ...FREE, id: "1-1", source });
  const read = decodeMessage(text("a", { id: null }));
  assertEquals(await handle(runner, read, found("one/1-1")), "handled");
  assertEquals(await handle(runner, read, found("one/1-1")), "duplicate");
  // Brokers number each stream for itself.
  assertEquals(await handle(runner, read, found("two/1-1")), "handled");
  // Nothing at all tells it from others: better twice than never.
  assertEquals(await handle(runner, read), "handled");
  assertEquals(await handle(runner, read), "handled");
  assertEquals(seen["Events"]?.length, 4);
});

Deno.test("a replay of a message without an id repeats only what had failed, however often it is replayed", async () => {
  const { domain, seen, broken } = shop();
  await using running = await started(domain);
  const rig = new SubscriptionRig();
  const runner = runnerOf(running.runtime, "Views");
  const subscription = rig.subscribe(runner, { maxRetries: 1, idempotent: true });
  await subscription.start();
  broken.second = true;
  await rig.send(text("a", { id: ABSENT }));
  const dlq = `${CATEGORY}:dlq`;
  const replay = async () => {
    const [letter] = await rig.broker.deadLetters.list(dlq, { limit: 1 });
    assert(letter);
    const { original_id } = JSON.parse(letter.data ?? "")["_dlq_metadata"];
    assert(
      await rig.broker.deadLetters.replay(dlq, letter.id, replayLane(CATEGORY, runner.group), runner.group),
    );
    await rig.clock.advance(5_000);
    return original_id;
  };
  const first = await replay();
  assertEquals(await replay(), first);
  broken.second = false;
  assertEquals(await replay(), first);
  assertEquals(await rig.deadLetters(), []);
  assertEquals(seen["Views"], ["a"]);
  await rig.close(subscription);
});

Deno.test("messages without a stream do not wait for each other", async () => {
  const rig = new SubscriptionRig();
  const runner = new ScriptedRunner(({ id }) => {
    if (id === "a") throw new Error("backs off");
  });
  const subscription = rig.subscribe(runner, { concurrency: 2 });
  await subscription.start();
  for (const [index, stream] of NO_IDENTITY.entries()) {
    await rig.send(text(index === 0 ? "a" : String(index), { id: "m", stream }));
  }
  assertEquals(runner.calls.map(({ id }) => id), ["a", "1", "2", "3", "4", "5"]);
  await rig.close(subscription);
});

Deno.test("what a message without an id causes names no cause", () => {
  const message = decodeMessage(text("a", { id: "", stream: "" }));
  const origin = { message, trace: null };
  assertEquals(inheritedByEvent(origin).causationId, null);
  assertEquals(inheritedByCommand(origin).causationId, null);
  assertEquals(inheritedByCommand(origin).originStream, null);
});
