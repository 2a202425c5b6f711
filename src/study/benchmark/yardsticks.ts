/** Tasks that learn from labels, when the labels are others than they learned from. */
import type { ImageSet } from "../../data/images.ts";
import { plural } from "../../data/names.ts";
import { learnedList, readSkipped } from "../../run/learned.ts";
import { taskEntry } from "../../tasks/index.ts";
import type { Training } from "./train-all.ts";

/** A sentence for each finished training that has learned labels which were added to or corrected since. @param train what is measured with */
export function staleYardsticks(trainings: readonly Training[], train: ImageSet): string[] {
  return trainings
    .filter(({ task }) => taskEntry(task).usesLabels)
    .flatMap(({ task, folder }) => {
      const learned = new Map(learnedList(folder)?.map(({ image, label }) => [image, label]));
      const unread = new Set(readSkipped(folder).map(({ id }) => id));
      const isOther = (i: number) =>
        !unread.has(train.id(i)) && learned.get(train.id(i)) !== train.classes?.[train.label(i)];
      const others = Array.from({ length: train.length }, (_, i) => i).filter(isOther).length;
      if (!others) return [];
      return [
        `${task} was trained before ${plural(others, "training label")} of ${train.length} ${others > 1 ? "were" : "was"} added or changed, and has not learned from ${others > 1 ? "them" : "it"}. Delete ${folder} and repeat the command to train it anew.`,
      ];
    });
}
