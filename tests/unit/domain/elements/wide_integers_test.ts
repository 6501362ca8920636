/** Integers that a double cannot hold reach no handler rounded (interop: int64-rounded, huge-integer). */
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { Domain, on, onAny, ValidationError } from "@protean/server";
import { testDomain } from "@protean/server/testing";
import { z } from "zod";
import { encode, validate } from "../../../../lib/domain/elements/schema.ts";
import { DeserializationError } from "../../../../lib/errors.ts";
import { checksumOf } from "../../../../lib/message/checksum.ts";
import { decodeMessage } from "../../../../lib/message/envelope.ts";
import { parseExact } from "../../../../lib/message/exact_numbers.ts";
import { inheritedByEvent } from "../../../../lib/domain/work/outgoing.ts";
import { handle, runnerOf, started } from "../fixture.ts";

const MOST = 2n ** 63n - 1n;

/** A message as Python writes it, with its checksum. */
function wire(data: string, type = "Shop.Counted.v1", extensions = "{}") {
  const checksum = checksumOf(data);
  return decodeMessage(
    `{"data":${data},"metadata":{"headers":{"id":"m","type":"${type}","stream":"shop::count-1"},` +
      `"envelope":{"checksum":"${checksum}"},"domain":{"kind":"EVENT"},"extensions":${extensions}}}`,
  );
}

const exact = z.object({ id: z.string(), n: z.int64(), list: z.array(z.bigint()).optional() });

function shop(schema: z.ZodType<{ id: string }>) {
  const seen: unknown[] = [];
  const domain = new Domain("shop");
  const Count = domain.aggregate("Count", { schema: z.object({ id: z.string() }) });
  const Counted = domain.event("Counted", {
    partOf: Count,
    schema,
    version: 2,
    upcasters: { 1: (row) => ({ ...row }) },
  });
  domain.eventHandler("Events", { partOf: Count, handles: [on(Counted, (data) => void seen.push(data))] });
  domain.eventHandler("Any", { partOf: Count, handles: [onAny((data) => void seen.push(data))] });
  return { domain, seen };
}

for (const [version, what] of [[2, "as it is"], [1, "through an upcaster"]] as const) {
  Deno.test(`int64-rounded: an integer of 64 bits reaches a handler ${what}, and so does a small one`, async () => {
    const { domain, seen } = shop(exact);
    await using running = await started(domain);
    const runner = runnerOf(running.runtime, "Events");
    const type = `Shop.Counted.v${version}`;
    await handle(runner, wire(`{"id":"a","list":[1,${MOST},-${MOST}],"n":${MOST}}`, type));
    await handle(runner, wire('{"id":"a","n":5}', type));
    await handle(runner, wire('{"id":"a","n":9007199254740992}', type));
    await handle(runner, wire('{"id":"a","n":9223372036854770000}', type));
    assertEquals(seen, [
      { id: "a", n: MOST, list: [1n, MOST, -MOST] },
      { id: "a", n: 5n },
      { id: "a", n: 9007199254740992n },
      { id: "a", n: 9223372036854770000n },
    ]);
  });

  Deno.test(`int64-rounded: where a number cannot hold it, it is refused by name, ${what}`, async () => {
    for (const n of [z.number(), z.int(), z.coerce.number(), z.number().nullable()]) {
      const { domain, seen } = shop(
        z.object({ id: z.string(), n, inner: z.array(z.object({ n })).optional() }),
      );
      await using running = await started(domain);
      const runner = runnerOf(running.runtime, "Events");
      const type = `Shop.Counted.v${version}`;
      for (
        const [data, path] of [['"n":9007199254740993', "n"], [
          '"inner":[{"n":-9223372036854775807}],"n":1',
          "inner.0.n",
        ]]
      ) {
        const verdict = runner.judge(wire(`{"id":"a",${data}}`, type));
        assert(verdict.kind === "poison");
        assertStringIncludes(
          verdict.error.message,
          `${path}: is an integer that a number cannot hold exactly`,
        );
      }
      await handle(runner, wire('{"id":"a","n":9007199254740991}', type));
      assertEquals(seen.length, 1);
    }
  });
}

Deno.test("int64-rounded: a text made of it keeps its digits, and who takes anything takes a bigint", async () => {
  const { domain, seen } = shop(z.object({ id: z.coerce.string() }));
  await using running = await started(domain);
  await handle(runnerOf(running.runtime, "Events"), wire('{"id":9007199254740993}', "Shop.Counted.v2"));
  await handle(runnerOf(running.runtime, "Any"), wire('{"id":9007199254740993}', "Other.Thing.v1"));
  assertEquals(seen, [{ id: "9007199254740993" }, { id: 9007199254740993n }]);
});

Deno.test("huge-integer: a right checksum is verified whatever the digits, as far as Python reads them", () => {
  const huge = "9".repeat(310);
  assertEquals(wire(`{"id":"T1","n":${huge}}`).data["n"], BigInt(huge));
  assertThrows(() => wire(`{"n":1${"0".repeat(4300)}}`), DeserializationError, "more than 4300 digits");
  // A sign is no digit.
  assertEquals(wire(`{"n":-1${"0".repeat(4299)}}`).data["n"], -(10n ** 4299n));
  // Written with blanks and behind an escape, as Python may.
  const spaced =
    `{"data": {"n": ${huge}, "s": "\\u00e9"}, "metadata": {"headers": {"type": "A.B.v1"}, "envelope": {"checksum": "${
      checksumOf(`{"n":${huge},"s":"\\u00e9"}`)
    }"}, "domain": {"kind": "EVENT"}}}`;
  assertEquals(decodeMessage(spaced).data["n"], BigInt(huge));
});

Deno.test("what is read with bigints is written digit by digit, extensions too", () => {
  const { text, value } = encode(exact, { id: "a", n: MOST, list: [1n, 2n ** 62n] }, "It");
  assertEquals(text, `{"id":"a","list":[1,${2n ** 62n}],"n":${MOST}}`);
  assertEquals(value, { id: "a", n: MOST, list: [1n, 2n ** 62n] });
  const message = wire("{}", "A.B.v1", `{"tenant":{"n":[${MOST}]}}`);
  const { extensions } = inheritedByEvent({ message, trace: null });
  assertEquals(JSON.stringify(extensions), `{"tenant":{"n":[${MOST}]}}`);
});

Deno.test("ids that are integers keep their digits", () => {
  const { id } = decodeMessage(
    '{"data":{},"metadata":{"headers":{"id":9007199254740993,"type":"A.B.v1"},"domain":{"kind":"EVENT"}}}',
  ).metadata.headers;
  assertEquals(id, "9007199254740993");
});

Deno.test("parseExact changes nothing else", () => {
  const text =
    '{"a":[1.5,1e400,-0,123456789012345678.5,1234567890123456e3,"12345678901234567890",9007199254740991],"__proto__":{"b":12345678901234567890}}';
  const value = parseExact(text) as Record<string, unknown>;
  const plain = JSON.parse(text);
  assertEquals(value["a"], plain["a"]);
  assertEquals(Object.getOwnPropertyDescriptor(value, "__proto__")?.value, { b: 12345678901234567890n });
  assertEquals(Object.getPrototypeOf(value), Object.prototype);
  assertThrows(() => parseExact("{"), SyntaxError);
});

Deno.test("a schema's own words stand where its trouble is another", () => {
  const schema = z.object({ n: z.number().max(3), big: z.bigint().optional() });
  assertThrows(
    () => validate(schema, { n: 7 }, "It"),
    ValidationError,
    "n: Too big: expected number to be <=3",
  );
  assertEquals(validate(schema, { n: 1, big: 7 }, "It"), { n: 1, big: 7n });
});

Deno.test("aggregates, views and messages of a domain keep 64 bits from the command to the view", async () => {
  const domain = new Domain("shop");
  const schema = z.object({ id: z.int64(), sum: z.bigint() });
  const Count = domain.aggregate("Count", { schema });
  const Counted = domain.event("Counted", { partOf: Count, schema });
  const DoCount = domain.command("DoCount", { partOf: Count, schema });
  const View = domain.projection("View", { schema });
  domain.commandHandler("Commands", {
    partOf: Count,
    handles: [on(DoCount, async (data, ctx) => {
      const known = await ctx.repository(Count).find(String(data.id));
      const count = known ?? Count.create({ ...data, sum: 0n });
      count.update((state) => ({ ...state, sum: state.sum + data.sum }));
      count.raise(Counted, count.state);
      await ctx.repository(Count).add(count);
    })],
  });
  domain.projector("Views", {
    projection: View,
    handles: [on(Counted, (data, ctx) => ctx.view(View).put(data))],
  });
  await using test = await testDomain(domain);
  const id = 9007199254740993n;
  await test.given(DoCount, { id, sum: MOST });
  await test.given(DoCount, { id, sum: MOST });
  assertEquals(await test.rows(View), [{ id, sum: 2n * MOST }]);
  await assertRejects(() => test.when(DoCount, { id: 2n ** 64n, sum: 1n }), ValidationError, "id");
});

Deno.test("a member of a union takes a bigint where it stands, however deep", () => {
  const a = z.object({ kind: z.literal("a"), n: z.int64() });
  const b = z.object({
    kind: z.literal("b"),
    list: z.array(z.union([z.bigint(), z.object({ n: z.int64() })])),
  });
  const schema = z.object({ one: z.union([a, b]), other: z.discriminatedUnion("kind", [a, b]) });
  assertEquals(
    validate(schema, { one: { kind: "b", list: [1, { n: 2 }] }, other: { kind: "a", n: 3 } }, "It"),
    { one: { kind: "b", list: [1n, { n: 2n }] }, other: { kind: "a", n: 3n } },
  );
});

Deno.test("a field that takes a small integer as a bigint is not told beside one that is wrong", () => {
  const schema = z.object({ n: z.int64(), name: z.string() });
  const error = assertThrows(() => validate(schema, { n: 5, name: 7 }, "It"), ValidationError);
  assertEquals(error.issues, [{
    path: "name",
    message: "Invalid input: expected string, received number",
  }]);
});

Deno.test("the cache keeps every digit", async () => {
  const domain = new Domain("shop");
  domain.aggregate("Count", { schema: z.object({ id: z.string() }) });
  await using _running = await started(domain);
  await domain.unitOfWork((ctx) => ctx.cache.set("k", { n: MOST }));
  assertEquals(await domain.unitOfWork((ctx) => ctx.cache.get("k")), { n: MOST });
});
