/** What an encoder is compared with, in words. */
import { protocolEntry } from "../../evaluate/index.ts";
import type { Analysis } from "../../study/analysis/analysis.ts";

/** The same network as it began. Where the whole network is fine-tuned, that one is trained from scratch on the labels. */
export function baselineWords({ study: { cells } }: { study: Pick<Analysis["study"], "cells"> }): {
  network: string;
  short: string;
  none: string;
} {
  return isFinetuned(cells[0]?.difference.protocol ?? "")
    ? { network: "the same network from scratch", short: "from scratch", none: "training from scratch" }
    : { network: "the same network untrained", short: "untrained", none: "no training" };
}

function isFinetuned(protocol: string): boolean {
  try {
    return protocolEntry(protocol).passes !== undefined;
  } catch {
    return false; // registered where the study ran, but not here
  }
}
