"""The rules, from the fields of a target to the image record."""
