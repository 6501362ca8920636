import { assertEquals } from "@std/assert";
import type { Schema } from "@protean/server";
import { z } from "zod";
import { probeSchema } from "../../../../lib/domain/elements/schema_probe.ts";

const later = () => Promise.resolve(true);

function custom(validate: (value: unknown) => unknown): Schema {
  return {
    "~standard": { version: 1, vendor: "test", validate: validate as Schema["~standard"]["validate"] },
  };
}

const asynchronous: Record<string, Schema> = {
  "answers with a promise": custom((value) => Promise.resolve({ value })),
  "answers with a rejected promise": custom(() => Promise.reject(new Error("no"))),
  "refines a field asynchronously": z.object({ id: z.uuid(), name: z.string().min(3).refine(later) }),
  "refines the whole asynchronously": z.object({
    n: z.number().min(5),
    e: z.enum(["a", "b"]),
    l: z.array(z.object({ at: z.iso.datetime() })).min(2),
    when: z.coerce.date(),
    u: z.union([z.literal("x"), z.number()]),
  }).refine(later),
  "transforms asynchronously": z.object({ id: z.string().transform((id) => Promise.resolve(id)) }),
  "refines an optional field asynchronously": z.object({ id: z.string().optional().refine(later) }),
};

for (const [name, schema] of Object.entries(asynchronous)) {
  Deno.test(`a schema is found out when it ${name}`, () => {
    assertEquals(probeSchema(schema, "The data of event X")?.code, "CONFIG_ASYNC_SCHEMA");
  });
}

interface Tree {
  children: Tree[];
}
const tree: z.ZodType<Tree> = z.lazy(() => z.object({ children: z.array(tree) }));

const synchronous: Record<string, Schema> = {
  "validates at once": z.object({ id: z.string(), at: z.coerce.date() }),
  "describes itself recursively": tree,
  "throws at trial values": custom(() => {
    throw new Error("not like this");
  }),
  "refuses everything": z.never(),
  "cannot describe itself": z.custom((value) => value !== undefined),
};

for (const [name, schema] of Object.entries(synchronous)) {
  Deno.test(`nothing is wrong with a schema that ${name}`, () => {
    assertEquals(probeSchema(schema, "It"), undefined);
  });
}
