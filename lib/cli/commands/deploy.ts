/**
 * `deploy keda`: what an autoscaler needs to know of a domain, as a file for Kubernetes.
 *
 * @module
 */
import { Command } from "commander";
import { planSubscriptions } from "../../engine/subscription_plan.ts";
import type { Cli } from "../cli.ts";
import { withExamples } from "../examples.ts";
import {
  addDomainOption,
  addLogOptions,
  type DomainOptions,
  filled,
  type LogOptions,
  positive,
} from "../options.ts";
import { type KedaGroup, scaledObject } from "../keda.ts";
import { UsageError } from "../usage_error.ts";
import { withDomain } from "../with_domain.ts";

interface Options extends DomainOptions, LogOptions {
  readonly deployment: string;
  readonly min: number;
  readonly max: number;
  readonly target: number;
  readonly addressFromEnv: string;
  readonly address?: string;
  readonly usernameFromEnv: string;
  readonly passwordFromEnv: string;
}

export function deployCommand(cli: Cli): Command {
  const command = new Command("deploy").description("Write files for Kubernetes.").addCommand(
    kedaCommand(cli),
  );
  return withExamples(command, [["deploy keda --domain=my_domain", "a ScaledObject for its subscriptions"]]);
}

function kedaCommand(cli: Cli): Command {
  const command = new Command("keda")
    .description(
      "Print a ScaledObject with a redis-streams trigger for the lag and the pending of every group.",
    )
    .option("--deployment <name>", "the Deployment to scale", filled, "protean-server")
    .option("--min <n>", "replicas at least", positive, 1)
    .option("--max <n>", "replicas at most", positive, 10)
    .option("--target <n>", "messages for each replica", positive, 100)
    .option(
      "--address-from-env <name>",
      "variable of the container with Redis's host:port",
      filled,
      "REDIS_ADDRESS",
    )
    .option("--address <host:port>", "Redis's host:port itself", filled)
    .option(
      "--username-from-env <name>",
      "variable of the container with Redis's user, where it has one",
      filled,
      "REDIS_USERNAME",
    )
    .option(
      "--password-from-env <name>",
      "variable of the container with Redis's password, where it has one",
      filled,
      "REDIS_PASSWORD",
    );
  return withExamples(addLogOptions(addDomainOption(command)), [
    [
      "deploy keda --domain=my_domain --max 8 > scaledobject.yaml",
      "then: kubectl apply -f scaledobject.yaml",
    ],
  ]).action(async (options: Options) => {
    if (options.min > options.max) throw new UsageError("--min must not be above --max.");
    await withDomain(cli, options, (runtime) => {
      const { brokers } = runtime.config.config;
      const groups = planSubscriptions(runtime).filter(({ broker, settings }) =>
        brokers[broker.name]?.provider === "redis" && settings.subscriptionType === "stream"
      ).map((planned) => ({
        ...planned,
        redis: brokers[planned.broker.name] as KedaGroup["redis"],
        parted: runtime.partitionFields.has(planned.category),
      })).filter(({ redis }) => !String(redis["URI"]).startsWith("unix:"));
      if (groups.every(({ parted }) => parted)) {
        throw new UsageError(
          "No subscription of this domain reads a Redis stream that KEDA could be told of: use " +
            "deploy/keda/metrics-api.yaml, which asks /scale.",
        );
      }
      cli.io.out(scaledObject(groups, options));
      return Promise.resolve();
    }, { migrate: false });
  });
}
