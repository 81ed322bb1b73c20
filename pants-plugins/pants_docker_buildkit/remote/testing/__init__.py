"""What tests of Git repositories need: a server that wants a login."""
