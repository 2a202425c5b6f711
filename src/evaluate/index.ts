/** The protocols by name. */
import { unknownName } from "../errors.ts";
import { knn } from "./knn.ts";
import { linear } from "./linear.ts";
import type { Protocol } from "./protocol.ts";

export const protocols = { knn, linear };
export type ProtocolName = keyof typeof protocols;

/** The protocol of that name. @throws UsageError with the nearest name there is */
export function protocolEntry(name: string): Protocol {
  if (!Object.hasOwn(protocols, name)) throw unknownName("protocol", name, Object.keys(protocols));
  return protocols[name as ProtocolName] as unknown as Protocol;
}
