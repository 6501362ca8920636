/** A handler that changes what it was given changes it for nobody else. */
import { assertEquals } from "@std/assert";
import { Domain, ExpectedVersionError, type Message, on, type Row } from "@protean/server";
import { canonicalJson } from "../../../../lib/message/canonical.ts";
import { decodeMessage } from "../../../../lib/message/envelope.ts";
import { FREE, handle, inMemory, outbox, runnerOf, started } from "../fixture.ts";
import { encodeMessage } from "../../../support/encode_message.ts";

/** A schema that hands on what it is given. */
const through = {
  "~standard": { version: 1, vendor: "test", validate: (value: unknown) => ({ value }) },
} as const;

function spoil(payload: unknown, ctx: { message: { data: unknown; metadata: unknown } }): void {
  for (const key of Object.keys(payload as Row)) (payload as Row)[key] = "spoilt";
  (ctx.message.data as Row)["more"] = "spoilt";
  const { headers, domain } = ctx.message.metadata as { headers: Row; domain: Row };
  for (const table of [headers, domain]) for (const key of Object.keys(table)) table[key] = "spoilt";
}

/** A domain whose events are not copied by their schema. */
function open() {
  const domain = new Domain("my_domain");
  const Order = domain.aggregate("Order", { schema: through });
  const Placed = domain.event("Placed", { partOf: Order, schema: through });
  const Seen = domain.event("Seen", { partOf: Order, schema: through });
  return { domain, Order, Placed, Seen };
}

for (const summed of [true, false]) {
  const how = summed ? "" : ", also without a checksum";
  Deno.test(`neither a sibling nor a repeated try nor what is written sees what a method has made of its message${how}`, async () => {
    const { domain, Order, Placed, Seen } = open();
    const seen: unknown[] = [];
    let tries = 0;
    domain.eventHandler("Events", {
      partOf: Order,
      idempotent: true,
      handles: [
        on(Placed, (payload, ctx) => {
          seen.push(structuredClone([payload, ctx.message.data]));
          spoil(payload, ctx);
          if (++tries === 1) throw new ExpectedVersionError("first");
        }),
        on(Placed, async (payload, ctx) => {
          seen.push(structuredClone([payload, ctx.message.data]));
          spoil(payload, ctx);
          await ctx.publish(Seen, { id: "s" }, { id: "s" });
        }),
      ],
    });
    await using running = await started(domain, {
      config: inMemory({ server: { version_retry: { base_delay_seconds: 0 } } }),
    });
    await domain.publish(Placed, { id: "o", lines: [1, 2] }, { id: "o" });
    const [sent] = await outbox(running.runtime);
    if (!sent) throw new Error("Nothing was published.");
    const { envelope } = sent.metadata;
    const metadata = { ...sent.metadata, envelope: summed ? envelope : { ...envelope, checksum: null } };
    const text = encodeMessage({ metadata, data: canonicalJson(sent.data) });
    const message = decodeMessage(text);
    const options = { ...FREE, again: (): Message => decodeMessage(text) };
    const runner = runnerOf(running.runtime, "Events");
    assertEquals(await handle(runner, message, options), "handled");
    const whole = { id: "o", lines: [1, 2] };
    assertEquals(seen, [[whole, whole], [whole, whole], [whole, whole]]);
    const [written] = await outbox(running.runtime);
    assertEquals(written?.metadata.domain.causation_id, sent.metadata.headers.id);
    assertEquals(written?.metadata.domain.correlation_id, sent.metadata.domain.correlation_id);
    // Its marks are those of the message as it came.
    assertEquals(await handle(runner, decodeMessage(text), options), "duplicate");
  });
}
