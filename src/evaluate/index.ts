/** The protocols by name. */
import type { z } from "zod";
import { registry } from "../registry.ts";
import { convProbe } from "./conv-probe.ts";
import { finetune } from "./finetune.ts";
import { knn } from "./knn.ts";
import { linear } from "./linear.ts";
import type { Protocol } from "./protocol.ts";
import { recalls, retrieval } from "./retrieval.ts";
import { svm } from "./svm.ts";

export const protocols = { knn, linear, svm, retrieval, ...recalls, "conv-probe": convProbe, finetune };
export type ProtocolName = keyof typeof protocols;

const known = registry<Protocol>("protocol", protocols as unknown as Record<ProtocolName, Protocol>);

/** The protocol of that name. @throws UsageError that suggests the nearest known name */
export const protocolEntry = known.get;

/** Registers your own protocol under a name that `evaluate` accepts like the others. @throws UsageError for a name that is taken */
export function registerProtocol<Options extends z.ZodObject, Prediction, Truth, Score>(
  name: string,
  protocol: Protocol<Options, Prediction, Truth, Score>,
): void {
  known.add(name, protocol as unknown as Protocol);
}
