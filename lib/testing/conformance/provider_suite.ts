/**
 * What every provider must do (delivery 13, 14, 17; wire 6.3; PIPE-13). Each adapter's own test file calls
 * `providerConformance`; what an adapter cannot do is a declared capability of its class, never a test left
 * out here.
 *
 * @module
 */
import { openProviderBench, type ProviderFixture, type Rule } from "./provider_suite_rig.ts";
import { markRules } from "./provider_suite_marks.ts";
import { rowRules } from "./provider_suite_rows.ts";
import { sqlRules } from "./provider_suite_sql.ts";
import { transactionRules } from "./provider_suite_transactions.ts";

export type { ProviderFixture } from "./provider_suite_rig.ts";

/** Runs every rule against providers that `open` opens, each rule with its own. */
export function providerConformance(name: string, open: () => Promise<ProviderFixture>): void {
  const rule: Rule = (sentence, prove) => {
    Deno.test(`${name} provider ${sentence}`, async () => {
      const fixture = await open();
      try {
        await prove(await openProviderBench(fixture));
      } finally {
        await fixture.close();
      }
    });
  };
  rowRules(rule);
  transactionRules(rule);
  markRules(rule);
  sqlRules(rule);
}
