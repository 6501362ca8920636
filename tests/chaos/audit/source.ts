/**
 * Where the numbered events come from: one aggregate for each key, which knows how many it has raised, so
 * that a producer that did not learn the outcome of a commit can ask.
 *
 * @module
 */
import type { Domain } from "@protean/server";
import { z } from "zod";

/** Declares the source, and what effects are left in, on `domain`; the domain of every fault test has them. */
export function declareSource(domain: Domain) {
  const Source = domain.aggregate("Source", {
    schema: z.object({ id: z.string(), produced: z.number().int() }),
  });
  const Numbered = domain.event("Numbered", {
    partOf: Source,
    schema: z.object({ key: z.string(), n: z.number().int() }),
  });
  const Left = domain.projection("Left", {
    schema: z.object({ id: z.string(), handler: z.string(), key: z.string(), n: z.number().int() }),
  });
  return { domain, Source, Numbered, Left };
}

/** An audited domain, as the producer needs it. */
export type Audited = ReturnType<typeof declareSource>;
