/** The example of a custom adapter runs its own test file: the kit works as someone outside uses it. */
import "../../examples/custom-adapter/folder_cache_test.ts";
