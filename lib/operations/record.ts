/**
 * An operation as it is kept: what was meant, how far it is, and what its kind needs to go on.
 *
 * @module
 */
import type { OperationRow, OperationState } from "../adapters/ports.ts";
import type { FailedLetter, Operation } from "../domain/operations.ts";
import { cut } from "../message/describe_error.ts";
import { isJsonObject } from "../message/parse.ts";

/** Failures that are told one by one. */
const MOST_FAILED = 100;
/** Bytes of one failure's reason. */
const WHY_BYTES = 500;

export type OperationKind = Operation["kind"];

/** What somebody asks for. */
export interface Asked {
  readonly kind: OperationKind;
  readonly domain: string;
  readonly filter: Readonly<Record<string, string>>;
  readonly by: string;
  readonly reason?: string | undefined;
  readonly rate?: number | undefined;
  readonly canary?: number | undefined;
  readonly limit?: number | undefined;
  readonly toAllGroups?: boolean | undefined;
  /** A running server does it. */
  readonly detached: boolean;
  /** Its letters go to a file first, which no other process writes. */
  readonly saves: boolean;
}

/** What is kept beside id, state and time. Those that run it change it. */
export interface OperationRecord extends Asked {
  readonly id: string;
  readonly created: number;
  state: OperationState;
  total: number;
  done: number;
  skipped: number;
  failures: number;
  failed: FailedLetter[];
  /** Epoch ms. */
  ended?: number | undefined;
  why?: string | undefined;
  /** What its kind needs to go on, as JSON has it. */
  plan: unknown;
}

export function newRecord(
  asked: Asked,
  { id, created, total, plan }: Pick<OperationRecord, "id" | "created" | "total" | "plan">,
): OperationRecord {
  return {
    ...asked,
    ...{ id, created, state: "planned", total, done: 0, skipped: 0, failures: 0, failed: [], plan },
  };
}

/** Two unfinished operations must not have the same. */
export function alikeText({ kind, domain, filter }: Asked): string {
  return JSON.stringify([domain, kind, Object.entries(filter).sort(([a], [b]) => a < b ? -1 : 1)]);
}

export function encodeRecord({ id: _, created: __, state: ___, ...rest }: OperationRecord): string {
  return JSON.stringify(rest);
}

/**
 * Undefined for what is no record of ours. What another release keeps otherwise, or not at all, is left out: but
 * without its filter nobody knows what it means, so it is none then.
 */
export function decodeRecord({ id, created, state, data }: OperationRow): OperationRecord | undefined {
  try {
    const rest: unknown = JSON.parse(data);
    if (!isJsonObject(rest) || typeof rest["kind"] !== "string") return undefined;
    const { filter, failed, by, ended, why, reason, total, done, skipped, failures } = rest;
    if (!isJsonObject(filter) || Object.values(filter).some((value) => typeof value !== "string")) {
      return undefined;
    }
    const { ended: _, why: __, reason: ___, ...others } = rest as unknown as OperationRecord;
    return {
      ...{ ...others, id, created, state, by: typeof by === "string" ? by : "unknown" },
      ...{
        total: countIn(total),
        done: countIn(done),
        skipped: countIn(skipped),
        failures: countIn(failures),
      },
      failed: Array.isArray(failed) ? failed.filter(isFailure) : [],
      detached: rest["detached"] === true,
      saves: rest["saves"] === true,
      ...(Number.isSafeInteger(ended) && { ended: Number(ended) }),
      ...(typeof why === "string" && { why }),
      ...(typeof reason === "string" && { reason }),
    };
  } catch {
    return undefined;
  }
}

function countIn(value: unknown): number {
  return Number.isSafeInteger(value) ? Math.max(0, Number(value)) : 0;
}

function isFailure(value: unknown): value is FailedLetter {
  return isJsonObject(value) && typeof value["id"] === "string" && typeof value["why"] === "string";
}

/** Notes a failure. */
export function failed(record: OperationRecord, id: string, why: string, code?: string): void {
  record.failures++;
  if (record.failed.length >= MOST_FAILED) return;
  record.failed.push({ id, why: cut(why, WHY_BYTES), ...(code !== undefined && { code }) });
}

/** As a team's code has it. */
export function operationOf(record: OperationRecord): Operation {
  const { id, kind, state, total, done, skipped, failures, filter, by, detached } = record;
  const { reason, rate, canary, why, ended } = record;
  return {
    ...{ id, kind, state, total, done, skipped, failures, failed: [...record.failed], filter, by, detached },
    created: new Date(record.created),
    ...(ended !== undefined && { ended: new Date(ended) }),
    ...(why !== undefined && { why }),
    ...(reason !== undefined && { reason }),
    ...(rate !== undefined && { rate }),
    ...(canary !== undefined && { canary }),
  };
}
