/** The images that a command is given, and the options that say what is true of them. */
import { z } from "zod";
import type { ImageCollection } from "../data/images.ts";
import { openImages } from "../data/open.ts";
import type { Hooks } from "./events.ts";

/** What a folder of images does not say by itself. For all commands that take images. */
export const aboutImages = {
  labels: z.string().min(1).optional().meta({
    description:
      "table of labels: a CSV file with the columns path, label (or several: cat|dog) and perhaps split; other images have no label",
    value: "file",
  }),
  group: z
    .string()
    .min(1)
    .optional()
    .describe("keeps images together, as of one patient or video: a column of --labels, or folder for sub-folders"),
};

interface Given {
  images: string;
  labels?: string | undefined;
  group?: string | undefined;
}

/** Opens them; downloads are reported as events. @throws UsageError as `openImages` */
export function openGiven({ images, labels, group }: Given, { onEvent }: Hooks): Promise<ImageCollection> {
  return openImages(images, { labels, group, say: (text) => onEvent?.({ type: "download", text }) });
}
