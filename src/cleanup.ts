/** Runs clean-up steps in reverse order, even if some fail. */

/**
 * Runs `body`, then the steps that it put on the list, last first. If several fail, throws the first error: it caused the
 * others, or matters more.
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
