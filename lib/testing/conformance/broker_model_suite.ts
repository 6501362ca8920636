/**
 * Every broker adapter against one model, under random command sequences of two groups and three consumers.
 *
 * @module
 */
import fc from "fast-check";
import { BrokerModel } from "./broker_model.ts";
import { brokerCommands, type BrokerUnderTest, prepare } from "./broker_model_commands.ts";
import type { BrokerFixture } from "./broker_suite_rig.ts";

export interface BrokerModelOptions {
  /**
   * True where a trim drops all that it may and a lag is right whatever was deleted. Redis keeps up to a node
   * of a hundred entries, and counts deleted ones. @default false
   */
  readonly exact?: boolean;
  /** Sequences to try. @default 150 */
  readonly runs?: number;
}

/** Registers the test. A failure prints its seed and the shortest sequence that shows it. */
export function brokerModel(
  name: string,
  open: () => Promise<BrokerFixture>,
  options: BrokerModelOptions = {},
): void {
  Deno.test(`${name} broker does what the model does, whatever the commands`, async () => {
    const fixture = await open();
    const brokers = [fixture.broker, ...fixture.another ? [await fixture.another()] : []];
    try {
      await fc.assert(
        fc.asyncProperty(brokerCommands(), async (commands) => {
          const model = new BrokerModel();
          const real: BrokerUnderTest = {
            brokers,
            stream: `model_${crypto.randomUUID()}::order`,
            elapse: (ms) => fixture.elapse(ms),
            exact: options.exact ?? false,
            groups: new Map(),
          };
          try {
            await prepare(model, real);
            await fc.asyncModelRun(() => ({ model, real }), commands);
          } finally {
            for (const group of real.groups.values()) await group.close();
          }
        }),
        { numRuns: options.runs ?? 150 },
      );
    } finally {
      await fixture.close();
    }
  });
}
