/**
 * What the blocks of the guide take for given: a domain with an aggregate and an event, and what its handlers
 * do. The same text is JavaScript, for the executable, and TypeScript.
 *
 * @module
 */

/** A table that every handler reads first, so that a test can hold them up. */
export const GATE = "gate";

/** The module with these blocks in it. */
export function domainModule(blocks: readonly string[]): string {
  return `import { Domain, on, SubscriptionProfile } from "@protean/server";
const schema = {
  "~standard": { version: 1, vendor: "guide", validate: (value) => ({ value }) },
};
export const domain = new Domain("my_domain");
export const Order = domain.aggregate("Order", { schema });
const OrderPlaced = domain.event("OrderPlaced", { partOf: Order, schema });
const note = (what) => async ({ orderId }, ctx) => {
  await ctx.sql\`select id from ${GATE}\`;
  await Deno.writeTextFile("done.log", what + " " + orderId + "\\n", { append: true });
};
const [ship, load, audit] = ["ship", "load", "audit"].map(note);
${blocks.join("\n")}`;
}
