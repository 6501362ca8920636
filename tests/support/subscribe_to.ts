/** A subscription as the engine makes it of its plan. */
import type { Clock } from "../../lib/async/clock.ts";
import type { PlannedSubscription } from "../../lib/engine/subscription_plan.ts";
import { StreamSubscription } from "../../lib/subscription/stream_subscription.ts";

export function subscribeTo(planned: PlannedSubscription, clock: Clock): StreamSubscription {
  return new StreamSubscription({ ...planned, consumer: `${planned.runner.name}-host-1-00000a`, clock });
}
