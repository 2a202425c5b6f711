/** Names of columns with labels, likeliest first. */
export const LABEL = ["label", "fine_label", "labels", "class", "class_name", "category", "target", "coarse_label"];
