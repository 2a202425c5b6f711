/** Entries by name: those that come with Selfsight, and those that a program adds. */
import { UsageError, unknownName } from "./errors.ts";

export interface Registry<Entry> {
  /** @throws UsageError for an unknown name, with the nearest known one */
  get(name: string): Entry;
  /** Adds an entry under a name. @throws UsageError for a name that is taken */
  add(name: string, entry: Entry): void;
  names(): string[];
}

/** @param what what messages call an entry: "task" */
export function registry<Entry>(what: string, own: Readonly<Record<string, Entry>>): Registry<Entry> {
  const entries = new Map(Object.entries(own));
  return {
    get(name) {
      const entry = entries.get(name);
      if (entry === undefined) throw unknownName(what, name, [...entries.keys()]);
      return entry;
    },
    add(name, entry) {
      if (entries.has(name)) throw new UsageError(`There is a ${what} "${name}" already.`);
      entries.set(name, entry);
    },
    names: () => [...entries.keys()],
  };
}
