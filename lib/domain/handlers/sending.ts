/**
 * `domain.process` and `domain.publish`: commands and events from outside of handlers.
 *
 * @module
 */
import type { Mark } from "../../adapters/ports.ts";
import { whenEnded } from "../../async/when_ended.ts";
import { IncorrectUsageError } from "../../errors.ts";
import { parseExact } from "../../message/exact_numbers.ts";
import type { Message } from "../../message/types.ts";
import type { ProcessOptions, PublishOptions } from "../options.ts";
import type { MessageDefinition } from "../elements/message_definition.ts";
import { commandMessage, type Origin, type Outgoing, OUTSIDE, publishedMessage } from "../work/outgoing.ts";
import { runUnitOfWork } from "../work/run_unit.ts";
import type { ElementRunner } from "./runner.ts";
import type { WorkRuntime } from "../runtime.ts";
import type { Guard } from "../work/sessions.ts";

/**
 * Sends a command, or handles it here. Returns the event-store position, or what the handler returned;
 * undefined where a command of the same type and idempotency key was taken before.
 */
export async function processCommand(
  runtime: WorkRuntime,
  command: MessageDefinition,
  data: unknown,
  options: ProcessOptions,
  handler: ElementRunner | undefined,
): Promise<unknown> {
  assertOptions(options);
  const asynchronous = options.asynchronous ?? runtime.config.config.command_processing === "async";
  const span = runtime.observer.command?.(command.typeString, asynchronous ? "enqueued" : "handled");
  const origin: Origin = span?.trace ? { message: undefined, trace: span.trace } : OUTSIDE;
  const sent = send(runtime, command, data, { ...options, asynchronous }, handler, origin);
  return await (span ? whenEnded(sent, (error) => span.ended(error)) : sent);
}

async function send(
  runtime: WorkRuntime,
  command: MessageDefinition,
  data: unknown,
  options: ProcessOptions & { readonly asynchronous: boolean },
  handler: ElementRunner | undefined,
  origin: Origin,
): Promise<unknown> {
  const message = commandMessage(runtime, command, data, options, origin);
  const mark = keyMark(runtime, command, options.idempotencyKey);
  if (options.asynchronous) {
    const name = "domain.process";
    const outcome = await runUnitOfWork(
      runtime,
      { name, origin, guard: guardOf(runtime), mark, fresh: true, repeat: false },
      (unit) => unit.send(message),
    );
    return outcome.kind === "done" ? outcome.positions[0] : undefined;
  }
  if (!handler) {
    throw new IncorrectUsageError(
      `No command handler of this domain handles ${command.name}, so it cannot be handled here: declare one, or send it ` +
        "with asynchronous: true.",
    );
  }
  const read = () => ({ data: parseExact(message.data) as Message["data"], metadata: message.metadata });
  return await handler.handleNow(
    read(),
    read,
    guardOf(runtime),
    (unit) => unit.record(message),
    mark,
  );
}

/** Publishes an event that no aggregate raised; returns its message id (delivery 12). */
export async function publishEvent(
  runtime: WorkRuntime,
  event: MessageDefinition,
  data: unknown,
  options: PublishOptions,
): Promise<string> {
  const message: Outgoing = publishedMessage(runtime, event, data, options.id, OUTSIDE);
  const name = "domain.publish";
  const settings = { name, origin: OUTSIDE, guard: guardOf(runtime), repeat: false };
  await runUnitOfWork(runtime, settings, (unit) => unit.send(message));
  return message.metadata.headers.id;
}

/** Work outside of handlers may commit until the domain closes. */
export function guardOf({ closing }: WorkRuntime): Guard {
  return { signal: closing, mayCommit: () => !closing.aborted };
}

/** The key lives where the marks do, so that it is taken if and only if the command is. */
function keyMark(
  { normalizedName }: WorkRuntime,
  { typeString }: MessageDefinition,
  key: string | null | undefined,
): Mark | undefined {
  // Plain JavaScript says null where it has no key.
  return key === undefined || key === null
    ? undefined
    : { handler: `${normalizedName}.process`, type: typeString, messageId: key };
}

function assertOptions({ idempotencyKey, priority, correlationId, timeoutMs }: ProcessOptions): void {
  const wrong = idempotencyKey === ""
    ? "idempotencyKey must not be empty"
    : idempotencyKey !== undefined && idempotencyKey !== null && typeof idempotencyKey !== "string"
    ? "idempotencyKey must be a text"
    : correlationId === ""
    ? "correlationId must not be empty"
    : priority !== undefined && !Number.isInteger(priority)
    ? `priority must be a whole number: current value is ${priority}`
    : timeoutMs !== undefined && !(timeoutMs > 0 && Number.isFinite(timeoutMs))
    ? `timeoutMs must be a positive number of milliseconds: current value is ${timeoutMs}`
    : undefined;
  if (wrong) throw new IncorrectUsageError(`The command cannot be processed as ${wrong}.`);
}
