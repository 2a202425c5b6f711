/** The pictures of one encoder: what it can show of where it looks, by its own answer. */
import type { Encoder, Maps } from "../../models/model.ts";
import { type Places, placesOf } from "../../models/places.ts";
import { cat } from "../../torch/ops.ts";
import { scope } from "../../torch/scope.ts";
import type { Tensor } from "../../torch/tensor.ts";
import { attentionMaps, inEvaluation, POWERS, powerOf, requireFinite } from "./activation.ts";
import { MASS, massMask } from "./outline.ts";
import { coloursOver, heatOver, withOutline } from "./overlay.ts";
import { principalColours } from "./principal-components.ts";
import { classAttention, type Grid, rollout } from "./rollout.ts";
import { upsample } from "./upsample.ts";

/** Where layers are active, what the heads attend to, attention through all blocks, and principal components as colours. */
export const kinds = ["activation", "heads", "rollout", "components"] as const;
export type Kind = (typeof kinds)[number];

export interface Column {
  kind: Kind;
  title: string;
  /** A few words of detail. */
  detail: string;
  /** One for each image: size × size × 3 bytes, RGB. */
  pictures: readonly Uint8Array[];
}

/** The images, decoded at three sizes. */
export interface Inputs {
  /** size × size × 3 bytes each, RGB: what maps are laid over. */
  shown: readonly Uint8Array[];
  size: number;
  /** (B, 3, H, W), normalised, as the encoder takes them, on its device. */
  images: Tensor;
  /** The same, perhaps larger, for attention weights. */
  large: Tensor;
}

export interface PictureOptions {
  /** What to show: of {@link kindsOf}. */
  show: readonly Kind[];
  /** Layers of the activation; default: all, or four of more than six. */
  layers?: readonly string[] | undefined;
  powers?: readonly number[] | undefined;
}

/** Layers shown by default. */
const [ALL_UP_TO, SPREAD] = [6, 4];
/** Fewest places across, for components that can be seen. */
const FINE = 4;

/** What the encoder can show: attention only if it gives the weights of a class token and patches. @param images (B, 3, H, W) that it can take */
export function kindsOf(encoder: Encoder, images: Tensor): Kind[] {
  return inEvaluation(encoder, () =>
    scope(() => {
      const { maps, attention } = encoder.encode(images.narrow(0, 0, 1), { attention: true });
      const [height, width] = gridOf(maps);
      const last = Object.values(attention ?? {}).at(-1);
      const attends = last?.size(3) === 1 + height * width;
      return kinds.filter((kind) => attends || (kind !== "heads" && kind !== "rollout"));
    }),
  );
}

/** Where the maps (…, h, w) of a layer lie on images (B, 3, S, S). */
interface Placed {
  places: Places;
  side: number;
}

function placed({ places }: Encoder, layer: string, maps: Tensor, images: Tensor): Placed {
  const side = images.size(2);
  return { places: placesOf(places, layer, maps.size(-1), side), side };
}

/** Height and width of the last map. */
function gridOf(maps: Maps): Grid {
  const [, , height, width] = (Object.values(maps).at(-1) as Tensor).shape as [number, number, number, number];
  return [height, width];
}

/** The pictures of an encoder in evaluation mode, f32. @throws UsageError as `attentionMaps` */
export function picturesOf(encoder: Encoder, inputs: Inputs, options: PictureOptions): Column[] {
  const wanted = (kind: Kind) => options.show.includes(kind);
  return [
    ...(wanted("activation") ? activation(encoder, inputs, options) : []),
    ...(wanted("heads") || wanted("rollout") ? attended(encoder, inputs, wanted) : []),
    ...(wanted("components") ? [components(encoder, inputs)] : []),
  ];
}

/** All of up to six layers; of more, four, equally far apart, the last among them. */
export function layersShown(names: readonly string[]): string[] {
  if (names.length <= ALL_UP_TO) return [...names];
  return Array.from({ length: SPREAD }, (_, i) => names[Math.round(((i + 1) * names.length) / SPREAD) - 1] as string);
}

function activation(encoder: Encoder, { shown, size, images }: Inputs, { layers, powers }: PictureOptions): Column[] {
  const names = Object.keys(encoder.featureDims);
  const own = layers?.filter((layer) => names.includes(layer)) ?? layersShown(names);
  return scope(() => {
    const maps = attentionMaps(encoder, images, { layers: own, powers });
    return Object.entries(maps).map(([layer, map]) => ({
      ...{ kind: "activation" as const, title: layer },
      detail: `${map.size(1)}×${map.size(2)}, p = ${powerOf(names.indexOf(layer), names.length, powers ?? POWERS)}`,
      pictures: heat(shown, map, size, placed(encoder, layer, map, images)),
    }));
  });
}

/** Each map (B, h, w) over its image. @param outlined draws a line around most of the mass */
function heat(
  shown: readonly Uint8Array[],
  maps: Tensor,
  size: number,
  { places, side }: Placed,
  outlined = false,
): Uint8Array[] {
  const values = scope(() => upsample(maps, places, side, size).data()) as Float32Array;
  return shown.map((image, i) => {
    const own = values.subarray(i * size * size, (i + 1) * size * size);
    const picture = heatOver(image, own);
    return outlined ? withOutline(picture, massMask(own), size) : picture;
  });
}

function attended(encoder: Encoder, { shown, size, large }: Inputs, wanted: (kind: Kind) => boolean): Column[] {
  return scope(() => {
    const { heads, through, blocks } = classMaps(encoder, large);
    const where = placed(encoder, Object.keys(encoder.featureDims).at(-1) as string, heads, large);
    const detail = `${heads.size(2)}×${heads.size(3)}, ${Math.round(100 * MASS)} %`;
    const column = (title: string, maps: Tensor): Column => ({
      ...{ kind: "heads", title, detail },
      pictures: heat(shown, maps, size, where, true),
    });
    const count = heads.size(1);
    return [
      ...(wanted("heads")
        ? [
            ...(count > 1 ? [column("all heads", heads.mean(1))] : []),
            ...Array.from({ length: count }, (_, i) => column(`head ${i + 1}`, heads.select(1, i))),
          ]
        : []),
      ...(wanted("rollout")
        ? [
            {
              ...{ kind: "rollout" as const, title: "rollout", detail: `${blocks} blocks` },
              pictures: heat(shown, through, size, where),
            },
          ]
        : []),
    ];
  });
}

/** The last block's class-token attention (B, heads, h, w), and the rollout (B, h, w). One image at a time: N² weights for each head and block. */
function classMaps(encoder: Encoder, images: Tensor): { heads: Tensor; through: Tensor; blocks: number } {
  let blocks = 0;
  const each = Array.from({ length: images.size(0) }, (_, i) =>
    inEvaluation(encoder, () =>
      scope(() => {
        const { maps, attention } = encoder.encode(images.narrow(0, i, 1), { attention: true });
        const weights = Object.entries(attention ?? {}).map(([block, one]) => requireFinite(block, one.to("f32")));
        blocks = weights.length;
        const grid = gridOf(maps);
        return { heads: classAttention(weights.at(-1) as Tensor, grid), through: rollout(weights, grid) };
      }),
    ),
  );
  return { heads: cat(each.map(({ heads }) => heads)), through: cat(each.map(({ through }) => through)), blocks };
}

/** Of the last map, or, where that has fewer than 4×4 places, of the last that has them. */
function components(encoder: Encoder, { shown, size, images }: Inputs): Column {
  return scope(() => {
    const maps = inEvaluation(encoder, () => Object.entries(encoder.encode(images).maps));
    const isFine = ([, map]: [string, Tensor]) => Math.min(map.size(2), map.size(3)) >= FINE;
    const [layer, map] = (maps.findLast(isFine) ?? maps.at(-1)) as [string, Tensor];
    const { colours, foreground } = principalColours(requireFinite(layer, map));
    const { places, side } = placed(encoder, layer, map, images);
    const large = (maps: Tensor) => upsample(maps, places, side, size).data() as Float32Array;
    const opacity = large(foreground);
    const shades = large(colours.reshape(-1, colours.size(2), colours.size(3)));
    const pixels = size * size;
    return {
      ...{ kind: "components" as const, title: "components", detail: `${map.size(2)}×${map.size(3)}, ${layer}` },
      pictures: shown.map((image, i) =>
        coloursOver(
          image,
          shades.subarray(3 * i * pixels, 3 * (i + 1) * pixels),
          opacity.subarray(i * pixels, (i + 1) * pixels),
        ),
      ),
    };
  });
}
