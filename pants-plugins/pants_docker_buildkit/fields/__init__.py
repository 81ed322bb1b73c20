"""The fields of an image target, by the question that the author of a BUILD file asks."""
