"""The fields of targets, by the question that the author of a BUILD file asks."""
