/** The issue that a schema answers about one field. */
export const problemOf = (name) => ({ path: [name], message: "must be text" });
