/** The numbers beside attention pictures: what the maps of every encoder do on many images, and whether encoders differ. */
import { type ImageCollection, selectSplits } from "../../data/images.ts";
import { type MapDifference, type MapNumber, mapDifferences, mapNumbers } from "../../evaluate/map-numbers.ts";
import { attentionMaps, powerOf } from "../../inspect/attention/activation.ts";
import {
  type LayerMeasures,
  type MapSource,
  type MeasuredMaps,
  measureMaps,
} from "../../inspect/attention/measure-maps.ts";
import type { Measure } from "../../inspect/attention/measures.ts";
import type { Encoder } from "../../models/model.ts";
import type { Hooks } from "../../run/events.ts";
import type { Compute } from "../../torch/compute.ts";
import { usualParts } from "./images.ts";
import type { Look } from "./looks.ts";
import type { AttentionConfig } from "./options.ts";

export interface AttentionNumbers {
  /** Images that were measured. */
  images: number;
  numbers: MapNumber[];
  /** Those of one layer of each encoder, at which it is compared: its last with 4×4 places or more. */
  compared: MapNumber[];
  /** At these layers, between every two that are not untrained, and between each and what it began as. */
  differences: MapDifference[];
  /**
   * Without any map, for each image: the part of it that the objects cover, a hit of its middle, CorLoc of the whole image; undefined if
   * nothing is known of objects.
   */
  withoutMap: MeasuredMaps["withoutMap"];
  /** The powers of the maps, early to late layers. */
  powers: readonly number[];
  /** Whether the compared layers' powers differ, and their numbers of places. */
  uneven: boolean;
  unlike: boolean;
  /** The value that objects have in masks; undefined for any. */
  maskClass: number | undefined;
  notes: string[];
}

/** What encoders are compared by. Fewer comparisons leave each of them more certain. */
const COMPARED: readonly Measure[] = ["mass", "equivariance", "spread"];
const UNEVEN =
  "Encoders whose compared layers have maps of different powers are not compared: a higher power alone gives narrower maps. --power 2 measures all alike.";
const UNLIKE =
  "The effective area of maps with different numbers of places is not compared: fewer places alone make it larger.";
/** Coarser maps say little about places. */
const FINEST = 4 * 4;

/** @throws UsageError and SelfsightError as `measureMaps`; InterruptedError when the signal aborts */
export async function attentionNumbers(
  looks: readonly Look[],
  collection: ImageCollection,
  { config, compute }: { config: AttentionConfig; compute: Compute },
  hooks: Hooks,
): Promise<AttentionNumbers> {
  const { split, measure: count, layers, power: powers, maskClass } = config;
  const set = selectSplits(collection, split ?? usualParts(collection));
  const encoders: Encoder[] = [];
  const layersOf = new Map<string, readonly string[]>();
  try {
    const sources = looks.map(({ label, side, encoder: load }): MapSource => {
      const encoder = load().to({ device: compute.device, memoryFormat: "channels_last" });
      encoders.push(encoder);
      const known = Object.keys(encoder.featureDims);
      layersOf.set(label, known);
      const own = layers?.filter((layer) => known.includes(layer));
      return {
        ...{ label, imageSize: side, places: encoder.places },
        maps: (images) => attentionMaps(encoder, images, { layers: own, powers }),
      };
    });
    const { device } = compute;
    const measured = await measureMaps(sources, set, { count, maskClass, device }, hooks);
    const { images, groups, notes, withoutMap } = measured;
    const compared = comparedLayers(measured.layers);
    const asked = pairsOf(looks);
    const power = powersOf(compared, layersOf, powers);
    const uneven = new Set(power.values()).size > 1;
    const places = new Map(compared.map((one) => [one.label, one.places]));
    const unlike = new Set(places.values()).size > 1;
    return {
      ...{ images, withoutMap, powers, uneven, unlike, maskClass },
      notes: [...notes, ...(uneven ? [UNEVEN] : []), ...(unlike ? [UNLIKE] : [])],
      numbers: mapNumbers(measured.layers, groups),
      compared: mapNumbers(compared, groups),
      differences: mapDifferences(compared, {
        groups,
        measures: COMPARED,
        pair: (a, b, measure) =>
          asked(a, b) && power.get(a) === power.get(b) && (measure !== "spread" || places.get(a) === places.get(b)),
      }),
    };
  } finally {
    for (const encoder of encoders) encoder.dispose();
  }
}

/** Two untrained networks, or one and the training of another, say nothing that anybody asked for. */
function pairsOf(looks: readonly Look[]): (encoder: string, baseline: string) => boolean {
  const byLabel = new Map(looks.map((look) => [look.label, look]));
  return (encoder, baseline) => {
    const [one, other] = [byLabel.get(encoder), byLabel.get(baseline)] as [Look, Look];
    const [trained, start] = one.kind === "untrained" ? [other, one] : [one, other];
    return start.kind !== "untrained" || trained.baselines.includes(start.id);
  };
}

/** The power of each encoder's maps at its compared layer, by its label. @param layersOf all layers of each */
function powersOf(
  compared: readonly LayerMeasures[],
  layersOf: ReadonlyMap<string, readonly string[]>,
  powers: readonly number[],
): Map<string, number> {
  return new Map(
    compared.map(({ label, layer }) => {
      const known = layersOf.get(label) as readonly string[];
      return [label, powerOf(known.indexOf(layer), known.length, powers)];
    }),
  );
}

/** One of each encoder: networks of other families have layers of other names. The last, if all are coarse. */
function comparedLayers(all: readonly LayerMeasures[]): LayerMeasures[] {
  return [...new Set(all.map(({ label }) => label))].map((label) => {
    const own = all.filter((one) => one.label === label);
    return (own.findLast(({ places }) => places >= FINEST) ?? own.at(-1)) as LayerMeasures;
  });
}
