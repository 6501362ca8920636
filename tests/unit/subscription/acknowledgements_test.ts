import { assertEquals } from "@std/assert";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { BrokerUnavailableError } from "../../../lib/errors.ts";
import { Acknowledgements } from "../../../lib/subscription/acknowledgements.ts";
import type { WorkReporter } from "../../../lib/status/work_health.ts";
import type { Source } from "../../../lib/subscription/source.ts";

/** Acknowledgements of a source that takes what it is sent when the test says so. */
function rig(work?: WorkReporter) {
  const clock = new FakeClock();
  const sent: { readonly ids: readonly string[]; readonly answer: PromiseWithResolvers<void> }[] = [];
  const confirmed: string[] = [];
  const source: Pick<Source, "name" | "group" | "confirm"> = {
    name: "s",
    group: "g",
    confirm: (ids) => {
      const answer = Promise.withResolvers<void>();
      sent.push({ ids, answer });
      return answer.promise;
    },
  };
  const acks = new Acknowledgements<{ readonly id: string }>(
    source,
    clock,
    ({ id }) => confirmed.push(id),
    work,
  );
  /** Adds `id` and flushes; `resolved` is what had been confirmed when the flush resolved. */
  const flush = (id: string) => {
    acks.add({ id });
    const flushed = { resolved: undefined as string | undefined };
    void acks.flush().then(() => flushed.resolved = confirmed.join(" "));
    return flushed;
  };
  const ids = () => sent.map((each) => each.ids.join(" "));
  return { acks, clock, sent, ids, flush };
}

Deno.test("it is told while acknowledgements are not taken, and no longer once a read takes them along (D8)", async () => {
  const told: string[] = [];
  const work = { ok: () => void told.push("ok"), unavailable: (reason: string) => void told.push(reason) };
  const { acks, clock, sent } = rig(work);
  acks.add({ id: "a" });
  void acks.flush();
  await clock.advance(0);
  sent[0]?.answer.reject(new BrokerUnavailableError("The broker is full."));
  await clock.advance(0);
  acks.confirm(acks.take());
  assertEquals(told, ["The broker is full.", "ok"]);
  await acks.close();
});

Deno.test("three flushes in one turn each resolve once their own entries are confirmed, and not before", async () => {
  const { clock, sent, ids, flush } = rig();
  const flushes = [flush("a"), flush("b"), flush("c")];
  await clock.advance(0);
  assertEquals(ids(), ["a b c"]);
  assertEquals(flushes.map(({ resolved }) => resolved), [undefined, undefined, undefined]);
  sent[0]?.answer.resolve();
  await clock.advance(0);
  assertEquals(flushes.map(({ resolved }) => resolved), ["a b c", "a b c", "a b c"]);
  assertEquals(clock.pending, 0);
});

Deno.test("what is flushed while another flush is under way goes together, after it", async () => {
  const { clock, sent, ids, flush } = rig();
  const first = flush("a");
  await clock.advance(0);
  const second = flush("b");
  const third = flush("c");
  await clock.advance(0);
  assertEquals(ids(), ["a"]);
  sent[0]?.answer.resolve();
  await clock.advance(0);
  assertEquals(ids(), ["a", "b c"]);
  assertEquals([first.resolved, second.resolved, third.resolved], ["a", undefined, undefined]);
  sent[1]?.answer.resolve();
  await clock.advance(0);
  assertEquals([second.resolved, third.resolved], ["a b c", "a b c"]);
});

Deno.test("no read takes along what is being flushed: it would not be known when that is confirmed", async () => {
  const { acks, clock, sent, flush } = rig();
  flush("a");
  await clock.advance(0);
  const second = flush("b");
  acks.add({ id: "c" });
  assertEquals(acks.take().map(({ id }) => id), ["c"]);
  sent[0]?.answer.resolve();
  await clock.advance(0);
  assertEquals(second.resolved, undefined);
  sent[1]?.answer.resolve();
  await clock.advance(0);
  assertEquals(second.resolved, "a b");
});

Deno.test("what the source does not take is there for the next read, and later flushes go on", async () => {
  const { acks, clock, sent, flush } = rig();
  const first = flush("a");
  const second = flush("b");
  await clock.advance(0);
  sent[0]?.answer.reject(new BrokerUnavailableError("Broker 'default' does not answer."));
  await clock.advance(0);
  assertEquals([first.resolved, second.resolved], ["", ""]);
  const third = flush("c");
  await clock.advance(0);
  assertEquals(sent[1]?.ids, ["a", "b", "c"]);
  sent[1]?.answer.resolve();
  await clock.advance(0);
  assertEquals(third.resolved, "a b c");
  assertEquals(acks.take(), []);
});
