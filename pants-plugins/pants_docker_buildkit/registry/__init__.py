"""Ask and tell a registry over HTTP: manifests, blobs, tags, and who may see them.

Pure of Pants. From the bottom up: `connections` keeps sockets, `transport` makes one request and
tries again, `authentication` says who we are, `client` speaks the distribution specification
(https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md), `clients` holds what one
session shares, and `confirmation` asks many things at once. `image_copy` gives a repository what it
lacks of an image, and `tag_move` points tags to one.
"""
