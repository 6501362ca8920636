/** The examples of documentation comments do what they say: each is run. */
import { assert } from "@std/assert";
import type { Handling } from "@protean/server";
import { type Example, EXAMPLES } from "./examples.ts";
import { Stage } from "./stage.ts";

/** What works between `init` and `close` alone. */
const RUNNING = /domain\.(?:deadLetters|operations|process|publish|unitOfWork|close)\b/;
const DECLARING = /^domain\.(?:commandHandler|eventHandler|subscriber|check|onDlqAlert)\(/m;

async function show(example: Example): Promise<void> {
  await using stage = new Stage();
  const { uses, code } = example;
  const hasSql = code.includes("sql`");
  const run = () => example.run(stage);
  // Taken now: nothing is declared once a domain is initialised.
  for (const name of uses) Reflect.get(stage, name);
  if (uses.includes("ctx")) await stage.handling(hasSql, /ctx\.fail\(/.test(code), run);
  else if (uses.includes("engine")) await stage.engaged(run);
  else if (uses.includes("shop") || code.includes("testDomain(")) {
    await stage.tested(uses.includes("shop"));
    await run();
  } else if (RUNNING.test(code)) {
    await stage.running();
    await run();
  } else {
    const made = await run();
    if (made !== undefined) {
      stage.domain.eventHandler("Example", { partOf: stage.Order, handles: [made as Handling] });
    }
    if (made !== undefined || DECLARING.test(code)) await stage.deliver(hasSql);
  }
  await Promise.all(stage.pending);
}

for (const example of EXAMPLES) {
  Deno.test(`${example.where}: ${example.code.split("\n")[0]}`, () => show(example));
}

Deno.test("there are examples", () => assert(EXAMPLES.length > 40));
