/**
 * What the rules find in the figures that an engine has gathered anyway (operations 11). Nothing here asks a
 * backend.
 *
 * @module
 */
import type { AlertFigures, FigureRow, WorkerFigures } from "./figures.ts";
import type { AlertRules, RuleName } from "./rule_settings.ts";

/** What one rule says of one subject now. */
export interface Finding {
  readonly rule: RuleName;
  readonly subject: string;
  /** Whether it is so; undefined: nobody knows now. */
  readonly holds: boolean | undefined;
  /** It is so only as long as this stays the same. */
  readonly mark?: string;
  /** It begins anew when one of these has grown, by worker. */
  readonly counts?: ReadonlyMap<string, number>;
  readonly value?: number;
  /** A sentence for people; `seconds`: for how long it has been so. */
  text(seconds: number): string;
}

export interface Found {
  readonly findings: readonly Finding[];
  /** Rules that could be judged: what one of these says nothing of is not there. */
  readonly judged: ReadonlySet<RuleName>;
}

/** What all rules but `dlq_depth` find, those too that are not enabled. */
export function find({ rows, workers, lost }: AlertFigures, rules: AlertRules): Found {
  const subscriptions = byName(rows?.filter(({ isOutbox }) => !isOutbox) ?? [], ({ name }) => name);
  const outboxes = byName(rows?.filter(({ isOutbox }) => isOutbox) ?? [], ({ category }) => category);
  const findings: Finding[] = [];
  const judged = new Set<RuleName>();
  if (rows) {
    for (const rule of ["oldest_age", "outbox_age"] as const) judged.add(rule);
    for (const [name, own] of subscriptions) {
      findings.push(oldestAge(name, own, rules.oldest_age.threshold));
    }
    for (const [broker, own] of outboxes) findings.push(outboxAge(broker, own, rules.outbox_age.threshold));
  }
  if (workers) {
    for (const rule of ["worker_lost", "pool_exhausted", "check"] as const) judged.add(rule);
    findings.push(...pools(workers, rules.pool_exhausted.threshold), ...checks(workers));
  }
  if (rows && workers) {
    for (const rule of ["silent_subscription", "breaker_open"] as const) judged.add(rule);
    const index = indexOf(workers);
    for (const [name, own] of subscriptions) {
      const running = runningOf(index, own);
      findings.push(silent(name, own, running), breakerOpen(name, running));
    }
  }
  for (const { id, host, pid, gone } of lost) {
    findings.push({
      ...{ rule: "worker_lost", subject: id, holds: gone },
      text: () => `The worker ${id} (host ${host}, process ${pid}) ended without a clean stop.`,
    });
  }
  return { findings, judged };
}

function byName(
  rows: readonly FigureRow[],
  nameOf: (row: FigureRow) => string,
): ReadonlyMap<string, readonly FigureRow[]> {
  return Map.groupBy(rows, nameOf);
}

function oldestAge(subject: string, rows: readonly FigureRow[], threshold: number): Finding {
  const age = oldest(rows);
  return {
    ...{ rule: "oldest_age", subject, holds: age === undefined ? undefined : age >= threshold },
    ...(age !== undefined && { value: age }),
    text: () =>
      `The oldest message of ${subject} that is not acknowledged is ${
        whole(age)
      } s old (threshold ${threshold} s).`,
  };
}

/**
 * Messages wait, and neither were any given out, nor was one of those given out finished: of another program's
 * workers, which tell nothing, the group's own figures say so.
 */
function silent(subject: string, rows: readonly FigureRow[], running: readonly Running[]): Finding {
  const lag = rows.reduce<number | null>(
    (sum, row) => sum === null || row.lag === null ? null : sum + row.lag,
    0,
  );
  return {
    ...{ rule: "silent_subscription", subject, holds: lag === null ? undefined : lag > 0 },
    mark: rows.map(({ position, pending }) => `${position ?? ""} ${pending ?? ""}`).join(" "),
    counts: countsOf(running),
    text: (seconds) =>
      `${lag} message(s) wait for ${subject}, and none was handled for ${Math.round(seconds)} s.`,
  };
}

/** A subscription on one of the workers. */
interface Running {
  readonly worker: string;
  readonly subscription: WorkerFigures["subscriptions"][number];
}

/** By handler and category: a look at a thousand subscriptions is no search through all of them for each. */
function indexOf(workers: readonly WorkerFigures[]): ReadonlyMap<string, readonly Running[]> {
  const index = new Map<string, Running[]>();
  for (const { id, subscriptions } of workers) {
    for (const subscription of subscriptions) {
      const key = keyOf(subscription);
      const known = index.get(key);
      if (known) known.push({ worker: id, subscription });
      else index.set(key, [{ worker: id, subscription }]);
    }
  }
  return index;
}

function runningOf(
  index: ReadonlyMap<string, readonly Running[]>,
  rows: readonly FigureRow[],
): readonly Running[] {
  return rows.flatMap((row) => index.get(keyOf(row)) ?? []);
}

function keyOf({ handler, category }: { readonly handler: string; readonly category: string }): string {
  return `${handler}\0${category}`;
}

function countsOf(running: readonly Running[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { worker, subscription: { finished = 0 } } of running) {
    counts.set(worker, (counts.get(worker) ?? 0) + finished);
  }
  return counts;
}

function outboxAge(subject: string, rows: readonly FigureRow[], threshold: number): Finding {
  const age = oldest(rows);
  return {
    ...{ rule: "outbox_age", subject, holds: age === undefined ? undefined : age >= threshold },
    ...(age !== undefined && { value: age }),
    text: () =>
      `The oldest row of the outbox that is due at the broker ${subject} has waited for ${whole(age)} s ` +
      `(threshold ${threshold} s).`,
  };
}

/** One that tries again and fails goes from half-open to open: it is not closed in between. */
function breakerOpen(subject: string, running: readonly Running[]): Finding {
  const all = new Set(running.map(({ worker }) => worker));
  const open = new Set(
    running.filter(({ subscription }) => subscription.breaker !== "closed").map(({ worker }) => worker),
  );
  return {
    ...{ rule: "breaker_open", subject, holds: open.size > 0 },
    text: () => `The circuit breaker of ${subject} is open on ${open.size} of ${all.size} worker(s).`,
  };
}

function pools(workers: readonly WorkerFigures[], threshold: number): Finding[] {
  const shares = new Map<string, { share: number; id: string; waiting: number }>();
  for (const { id, pools } of workers) {
    for (const { name, size, checkedOut, waiting } of pools) {
      const share = size > 0 && waiting > 0 ? checkedOut / size : 0;
      if (share >= (shares.get(name)?.share ?? -1)) shares.set(name, { share, id, waiting });
    }
  }
  return [...shares].map(([subject, { share, id, waiting }]) => ({
    ...{ rule: "pool_exhausted", subject, holds: share >= threshold, value: share },
    text: () =>
      `The pool of the database ${subject} is used up on the worker ${id}: ${Math.round(share * 100)} % of ` +
      `pool_size is in use, and ${waiting} wait(s) for a connection.`,
  }));
}

/** Fails where it fails for anybody. */
function checks(workers: readonly WorkerFigures[]): Finding[] {
  const all = workers.flatMap(({ host, pid, checks }) => checks.map((check) => ({ ...check, host, pid })));
  return [...Map.groupBy(all, ({ name }) => name)].map(([subject, own]): Finding => {
    const failed = own.filter(({ status }) => status === "failed");
    const isKnown = failed.length > 0 || own.some(({ status }) => status === "ok");
    const [first] = failed;
    return {
      ...{ rule: "check", subject, holds: isKnown ? failed.length > 0 : undefined },
      text: () =>
        `The check ${subject} fails on ${failed.length} of ${own.length} worker(s)` +
        (first ? ` (host ${first.host}, process ${first.pid}): ${first.error ?? "it returned false"}` : "."),
    };
  });
}

/** Undefined: unknown for all of them. */
function oldest(rows: readonly FigureRow[]): number | undefined {
  const ages = rows.flatMap(({ ageSeconds }) => ageSeconds ?? []);
  return ages.length === 0 ? undefined : Math.max(...ages);
}

function whole(seconds: number | undefined): number {
  return Math.round(seconds ?? 0);
}
