/**
 * What every broker adapter must do (delivery 1 to 8, 18, 19). Each adapter's own test file calls
 * `brokerConformance`; what an adapter cannot do is a declared capability of its class, never a test left out
 * here.
 *
 * @module
 */
import type { StreamGroup } from "../../adapters/ports.ts";
import { type BrokerFixture, openBench, type Rule } from "./broker_suite_rig.ts";
import { alertRules } from "./broker_suite_alerts.ts";
import { consumerRules } from "./broker_suite_consumers.ts";
import { deadLetterRules } from "./broker_suite_dead_letters.ts";
import { failureRules } from "./broker_suite_failures.ts";
import { operationRules } from "./broker_suite_operations.ts";
import { operatorRules } from "./broker_suite_operators.ts";
import { partitionRules } from "./broker_suite_partitions.ts";
import { pendingRules } from "./broker_suite_pending.ts";
import { publishRules } from "./broker_suite_publish.ts";
import { readRules } from "./broker_suite_read.ts";
import { retentionRules } from "./broker_suite_retention.ts";
import { sizeRules } from "./broker_suite_sizes.ts";

export type { BrokerFixture } from "./broker_suite_rig.ts";

/**
 * Runs every rule against brokers that `open` opens, each rule with its own. `partitions`: it is one that can
 * part streams by key. `operations`: it keeps operations of its own.
 */
export function brokerConformance(
  name: string,
  open: () => Promise<BrokerFixture>,
  { partitions: hasPartitions = false, operations: hasOperations = false } = {},
): void {
  const rule: Rule = (sentence, prove) => {
    Deno.test(`${name} broker ${sentence}`, async () => {
      const fixture = await open();
      const groups: StreamGroup[] = [];
      try {
        await prove(await openBench(fixture, groups));
      } finally {
        for (const group of groups) await group.close();
        await fixture.close();
      }
    });
  };
  publishRules(rule);
  readRules(rule);
  pendingRules(rule);
  consumerRules(rule);
  operatorRules(rule);
  retentionRules(rule);
  deadLetterRules(rule);
  failureRules(rule);
  sizeRules(rule);
  alertRules(rule);
  if (hasPartitions) partitionRules(rule);
  if (hasOperations) operationRules(rule);
}
