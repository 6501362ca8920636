/**
 * What every outbox must do (delivery 9; wire 3; OBX-1 to OBX-6; S53 to S55). Each provider's own test file
 * calls `outboxConformance`, with the same fixtures as the provider suite.
 *
 * @module
 */
import { outboxFailureRules } from "./outbox_suite_failures.ts";
import { outboxOperatorRules } from "./outbox_suite_operators.ts";
import { outboxLeaseRules } from "./outbox_suite_leases.ts";
import { outboxRowRules } from "./outbox_suite_rows.ts";
import { outboxStandingRules } from "./outbox_suite_standing.ts";
import { openProviderBench, type ProviderFixture, type Rule } from "./provider_suite_rig.ts";

/** Runs every rule against providers that `open` opens, each rule with its own. */
export function outboxConformance(name: string, open: () => Promise<ProviderFixture>): void {
  const rule: Rule = (sentence, prove) => {
    Deno.test(`${name} outbox ${sentence}`, async () => {
      const fixture = await open();
      try {
        await prove(await openProviderBench(fixture));
      } finally {
        await fixture.close();
      }
    });
  };
  outboxRowRules(rule);
  outboxLeaseRules(rule);
  outboxStandingRules(rule);
  outboxFailureRules(rule);
  outboxOperatorRules(rule);
}
