/** What an encoder is compared with, in words. */
import type { Analysis } from "../../study/analysis/analysis.ts";

/** The same network as it began. Where the whole network is fine-tuned, that one is trained from scratch on the labels. */
export function baselineWords({ study: { cells } }: { study: Pick<Analysis["study"], "cells"> }): {
  network: string;
  short: string;
  none: string;
} {
  return cells[0]?.difference.protocol === "finetune"
    ? { network: "the same network from scratch", short: "from scratch", none: "training from scratch" }
    : { network: "the same network untrained", short: "untrained", none: "no training" };
}
