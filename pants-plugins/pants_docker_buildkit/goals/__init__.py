"""One Pants goal each."""
