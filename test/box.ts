import type { Box } from "../src/data/objects.ts";

/** A box without a name, in pixels. */
export const box = (left: number, top: number, width: number, height: number): Box => ({
  ...{ left, top, width, height },
  label: "",
});
