import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { Domain, on, type Row } from "@protean/server";
import { z } from "zod";
import { ConfigurationError, ValidationError } from "../../../lib/errors.ts";
import { logged } from "../../support/logged.ts";
import { inMemory, outbox, started } from "./fixture.ts";

const MOST = 2_000;
const limited = (most: number = MOST, extra: Row = {}) => ({
  config: inMemory({ server: { max_message_bytes: most }, ...extra }),
});

function pads() {
  const domain = new Domain("pads");
  const schema = z.object({ id: z.string(), pad: z.string() });
  const Pad = domain.aggregate("Pad", { schema });
  const Padded = domain.event("Padded", { partOf: Pad, schema });
  const AddPad = domain.command("AddPad", { partOf: Pad, schema });
  domain.commandHandler("Adder", { partOf: Pad, handles: [on(AddPad, () => {})] });
  return { domain, Pad, Padded, AddPad };
}

/** A payload of so many bytes as JSON. */
const sized = (bytes: number) => ({ id: "1", pad: "x".repeat(bytes - '{"id":"1","pad":""}'.length) });

function assertTells(error: Error, name: string, bytes: number): void {
  assert(error instanceof ValidationError);
  assertEquals(error.code, "MESSAGE_TOO_LARGE");
  for (const text of [name, String(bytes), "max_message_bytes"]) assertStringIncludes(error.message, text);
  assertEquals(error.message.split("\n").length, 1);
}

Deno.test("what is larger than max_message_bytes is refused wherever it is sent, by name and size", async () => {
  const { domain, Pad, Padded, AddPad } = pads();
  await using running = await started(domain, limited());
  const data = sized(MOST + 1);
  const ways: [string, () => Promise<unknown>][] = [
    ["event Padded", () => domain.publish(Padded, data)],
    ["command AddPad", () => domain.process(AddPad, data)],
    ["command AddPad", () => domain.process(AddPad, data, { asynchronous: false })],
    ["event Padded", () => domain.unitOfWork((ctx) => ctx.publish(Padded, data))],
    ["command AddPad", () => domain.unitOfWork((ctx) => ctx.process(AddPad, data))],
  ];
  for (const [name, way] of ways) assertTells(await assertRejects(way, Error), name, MOST + 1);
  const pad = Pad.create({ id: "1", pad: "" });
  assertTells(assertThrows(() => pad.raise(Padded, data), Error), "event Padded", MOST + 1);
  assertEquals(await outbox(running.runtime), []);
});

Deno.test("the metadata counts, and nothing of the unit of work is committed then", async () => {
  const { domain, Pad, Padded } = pads();
  await using running = await started(domain, limited());
  const work = domain.unitOfWork(async (ctx) => {
    const pad = Pad.create({ id: "1", pad: "" });
    pad.raise(Padded, sized(MOST - 10));
    await ctx.repository(Pad).add(pad);
  });
  const error = await assertRejects(() => work, ValidationError);
  assertStringIncludes(error.message, "Pads.Padded.v1");
  assertEquals([error.code, await outbox(running.runtime)], ["MESSAGE_TOO_LARGE", []]);
  await domain.publish(Padded, sized(MOST - 1_500));
  assertEquals((await outbox(running.runtime)).length, 1);
});

Deno.test("a mebibyte is the default, before a domain is initialised too", async () => {
  const { domain, Pad, Padded } = pads();
  const pad = Pad.create({ id: "1", pad: "" });
  pad.raise(Padded, sized(1024 * 1024));
  assertTells(
    assertThrows(() => pad.raise(Padded, sized(1024 * 1024 + 1)), Error),
    "Padded",
    1024 * 1024 + 1,
  );
  await using _running = await started(domain);
  await domain.publish(Padded, sized(1_000_000));
  await assertRejects(() => domain.publish(Padded, sized(1_100_000)), ValidationError, "1100000 bytes");
});

Deno.test("what is sent may not be larger than what is received", async () => {
  const { domain } = pads();
  const error = await assertRejects(() => domain.init(limited(9 * 1024 * 1024)), ConfigurationError);
  assertStringIncludes(error.message, "server.max_received_bytes");
  await domain.init({ config: inMemory({ server: { max_message_bytes: 9e6, max_received_bytes: 9e6 } }) });
  await domain.close();
});

Deno.test("a payload from 128 KiB is told once for each type", async () => {
  const { domain, Padded, AddPad } = pads();
  await using _running = await started(domain, { config: inMemory() });
  const large = 128 * 1024;
  const told = async (work: () => Promise<unknown>) =>
    (await logged(work)).filter(({ properties }) => "message_type" in properties && "bytes" in properties)
      .map(({ properties }) => [properties["message_type"], properties["bytes"]]);
  assertEquals(await told(() => domain.publish(Padded, sized(large - 1))), []);
  assertEquals(await told(() => domain.publish(Padded, sized(large))), [["Pads.Padded.v1", large]]);
  assertEquals(await told(() => domain.publish(Padded, sized(large + 9))), []);
  assertEquals(await told(() => domain.process(AddPad, sized(large))), [["Pads.AddPad.v1", large]]);
});
