/**
 * The zod that comes with the library, for schemas of a domain that has no packages of its own: a domain on
 * disk gets it out of the executable. Any other Standard Schema validator does as well.
 *
 * @module
 */
export { z } from "zod";
