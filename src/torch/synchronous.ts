/** Guards modes that hold for the time of a call. */

/**
 * What `body` returns.
 * @throws TypeError for a promise: what it does later would run outside of the mode
 */
export function synchronous<T>(mode: string, body: () => T): T {
  const result = body();
  if (result instanceof Promise) throw new TypeError(`${mode}(body) is synchronous, but body returned a promise`);
  return result;
}
