/**
 * The SQLite broker under the broker suite, and what only it can do.
 *
 * @module
 */
import { SqliteBroker } from "../../lib/adapters/sqlite/broker.ts";
import { brokerModel } from "../../lib/testing/conformance/broker_model_suite.ts";
import { brokerConformance } from "../../lib/testing/conformance/broker_suite.ts";
import { openedInFolder } from "../support/opened.ts";

async function open() {
  const settings = { URI: "sqlite:///streams.db" };
  const { first, ...rest } = await openedInFolder((folder, clock) =>
    new SqliteBroker({ name: "default", domain: "shop", settings, folder, clock })
  );
  return { broker: first, ...rest };
}

brokerConformance("sqlite", open, { partitions: true, operations: true });
brokerModel("sqlite", open, { exact: true });
