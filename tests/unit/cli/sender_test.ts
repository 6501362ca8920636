import { assertEquals, assertRejects } from "@std/assert";
import { Sender } from "../../../lib/cli/sender.ts";
import type { Domain } from "../../../lib/domain/domain.ts";
import type { Context, MessageType } from "../../../lib/domain/types.ts";
import { ProviderUnavailableError, ValidationError } from "../../../lib/errors.ts";

/** A unit of work that remembers what was committed, refuses negative numbers and fails as told. */
function setUp(commit: (batch: readonly unknown[]) => void = () => {}) {
  const committed: unknown[][] = [];
  const refusals: string[] = [];
  const domain = {
    async unitOfWork(work: (ctx: Context) => Promise<void>) {
      const batch: unknown[] = [];
      const put = (_type: unknown, data: { n: number }) => {
        if (data.n < 0) return Promise.reject(new ValidationError(`${data.n} is negative`));
        batch.push(data.n);
        return Promise.resolve();
      };
      await work({ process: put, publish: put } as unknown as Context);
      commit(batch);
      committed.push(batch);
    },
  } as unknown as Domain;
  const type = { kind: "command", name: "Place" } as MessageType;
  const refuse = (line: number, error: Error) => void refusals.push(`${line}: ${error.message}`);
  return { sender: new Sender({ domain, type, sync: false, id: undefined, refuse }), committed, refusals };
}

const lines = (...texts: string[]) => texts.map((text, index) => ({ number: index + 1, text }));

Deno.test("the good lines of a batch are committed together, the bad ones are refused in order", async () => {
  const { sender, committed, refusals } = setUp();
  await sender.send([...lines('{"n":1}', '{"n":-2}', '{"n":3}'), { number: 9, problem: "not UTF-8" }]);
  assertEquals(committed, [[1, 3]]);
  assertEquals(refusals, ["2: -2 is negative", "9: the line is not UTF-8"]);
  assertEquals([sender.sent, sender.refused], [2, 2]);
});

Deno.test("a batch whose commit fails is tried line by line", async () => {
  const { sender, committed, refusals } = setUp((batch) => {
    if (batch.includes(2)) throw new Error("row too big");
  });
  await sender.send(lines('{"n":1}', '{"n":2}', '{"n":3}'));
  assertEquals(committed, [[1], [3]]);
  assertEquals(refusals, ["2: row too big"]);
  assertEquals([sender.sent, sender.refused], [2, 1]);
});

Deno.test("a backend that is away stops the sending", async () => {
  const { sender, refusals } = setUp(() => {
    throw new ProviderUnavailableError("no answer");
  });
  await assertRejects(() => sender.send(lines('{"n":1}', '{"n":2}')), ProviderUnavailableError, "no answer");
  assertEquals([sender.sent, sender.refused, sender.at, refusals], [0, 0, 1, []]);
});

Deno.test("a backend that goes away between the lines of a batch leaves off at the right line", async () => {
  const { sender, committed } = setUp((batch) => {
    if (batch.length > 1) throw new Error("row too big");
    if (batch.includes(3)) throw new ProviderUnavailableError("no answer");
  });
  await assertRejects(() => sender.send(lines('{"n":1}', '{"n":2}', '{"n":3}')), ProviderUnavailableError);
  assertEquals([committed, sender.sent, sender.at], [[[1], [2]], 2, 3]);
});
