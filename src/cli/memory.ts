/** Running out of memory: no defect, but a request that is too large for the machine. */
import { SelfsightError } from "../errors.ts";

/** As the addon, libtorch and Node word it, for the processor and for GPUs. */
const RUN_OUT = /out of memory|(can't|cannot) allocate memory|array buffer allocation failed/i;

const SIZES = ["--batch-size", "--image-size", "--width"];

/**
 * An error with the remedy; undefined for an error of another kind.
 * @param flags those of the command, among which are the remedies
 */
export function memoryError(cause: unknown, flags: readonly string[] = []): SelfsightError | undefined {
  if (!(cause instanceof Error) || !RUN_OUT.test(cause.message)) return undefined;
  const [line = ""] = cause.message.split("\n");
  const reason = line.replace(/ A smaller batch .*/, "").replace(/\.?$/, ".");
  const sizes = SIZES.filter((name) => flags.includes(name));
  const smaller = [
    ...(sizes.length ? [`smaller values of ${sizes.join(", ")}`] : []),
    ...(flags.includes("--task") ? ["smaller sizes among the task's own options"] : []),
  ];
  const less = smaller.length ? `Give ${smaller.join(", or ")}; or close` : "Close";
  return new SelfsightError(`There is not enough memory: ${reason} ${less} other programs, and try again.`, { cause });
}
