/** Undoing things in the reverse order in which they were done, whatever fails. */

/**
 * Runs `body`, then what it put on the list, last first. Of several failures the first is thrown: it caused the others, or
 * matters more.
 */
export async function withCleanup<Result>(body: (cleanup: (() => unknown)[]) => Promise<Result>): Promise<Result> {
  const cleanup: (() => unknown)[] = [];
  const failures: unknown[] = [];
  const attempt = async <Done>(work: () => Done | Promise<Done>): Promise<Done | undefined> => {
    try {
      return await work();
    } catch (error) {
      failures.push(error);
      return undefined;
    }
  };
  const result = await attempt(() => body(cleanup));
  for (const undo of cleanup.reverse()) await attempt(undo);
  if (failures.length) throw failures[0];
  return result as Result;
}
