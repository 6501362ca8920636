/** Replicas that judge the rules of `[alerts]` on one memory broker, with time and figures that the test moves. */
import { MemoryBroker } from "../../../lib/adapters/memory/broker.ts";
import type { Channel } from "../../../lib/alerts/channels.ts";
import type { AlertFigures, FigureRow, WorkerFigures } from "../../../lib/alerts/figures.ts";
import { AlertService, LOOK_MS } from "../../../lib/alerts/service.ts";
import { alertsSchema } from "../../../lib/config/schema/alerts.ts";
import type { Alert } from "../../../lib/domain/alert.ts";
import type { AlertObserver } from "../../../lib/domain/observer.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";

export const MAILER = "my_domain.Mailer";

export function subscription(own: Partial<FigureRow> = {}): FigureRow {
  return {
    ...{ name: MAILER, handler: "Mailer", category: "my_domain::order", isOutbox: false },
    ...{ lag: 0, pending: 0, position: "1-0", ageSeconds: 0 },
    ...own,
  };
}

export function worker(own: Partial<WorkerFigures> = {}): WorkerFigures {
  return { id: "w1", host: "h", pid: "7", subscriptions: [], pools: [], checks: [], ...own };
}

export interface ReplicaOptions {
  readonly rules?: Record<string, Record<string, unknown>>;
  readonly repeatSeconds?: number;
  readonly channels?: readonly Channel[];
  readonly observer?: AlertObserver;
}

export function alertRig() {
  const clock = new FakeClock();
  const broker = new MemoryBroker({ name: "default", domain: "my_domain", settings: {}, folder: "/", clock });
  const posted: string[] = [];
  const alerts: Alert[] = [];
  const figures: { -readonly [K in keyof AlertFigures]: AlertFigures[K] } = {
    rows: [subscription()],
    workers: [worker()],
    lost: [],
  };
  const all: readonly Channel[] = [
    { name: "callback", most: 1, tell: (some) => void alerts.push(...some) },
    {
      name: "webhook",
      most: Infinity,
      tell: (some) =>
        void posted.push(some.map(({ rule, subject, state }) => `${rule} ${subject} ${state}`).join()),
    },
  ];
  const replica = ({ rules = {}, repeatSeconds = 0, channels = all, observer }: ReplicaOptions = {}) =>
    new AlertService({
      ...{ broker, domain: "my_domain", repeatSeconds, clock, observer },
      rules: alertsSchema.parse({ rules }).rules,
      figures: () => figures,
      channels: () => Promise.resolve(channels),
      random: () => 0,
    });
  /** Looks of these, one after the other, until so many seconds have gone by. */
  const pass = async (seconds: number, ...replicas: readonly AlertService[]) => {
    for (let ms = 0; ms < seconds * 1000; ms += LOOK_MS) {
      await clock.advance(LOOK_MS);
      await look(...replicas);
    }
  };
  const look = async (...replicas: readonly AlertService[]) => {
    for (const each of replicas) await each.look(new AbortController().signal);
  };
  /** Its process is gone, and its lock with it. */
  const end = async (service: AlertService) => {
    await service.start();
    await service.stop();
  };
  const told = () => alerts.map(({ rule, subject, state }) => `${rule} ${subject} ${state}`);
  return { clock, broker, figures, posted, alerts, told, replica, look, pass, end };
}
