/**
 * The command line was used wrongly.
 *
 * @module
 */
import { ProteanError, type ProteanErrorOptions } from "../errors.ts";

/** Exit 2, like a configuration that cannot work. */
export class UsageError extends ProteanError {
  constructor(message: string, options: ProteanErrorOptions = {}) {
    super(message, options, "USAGE");
  }
}
