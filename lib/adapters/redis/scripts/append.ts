/**
 * Appends a batch. One script instead of a pipeline of XADDs, because memory that runs out (or comes free) half-way through a
 * pipeline refuses some entries and takes later ones, and so breaks their order: Redis judges a script once. It is also quicker,
 * one reply instead of a hundred.
 *
 * Keys: the streams. Arguments: pairs of a stream's place among the keys and the data. Answers an id or an error for each.
 *
 * @module
 */
import { Script } from "../script.ts";

export const append = new Script(`
local results = {}
for i = 1, #ARGV, 2 do
  results[#results + 1] = redis.pcall('XADD', KEYS[tonumber(ARGV[i])], '*', 'data', ARGV[i + 1])
end
return results
`);
