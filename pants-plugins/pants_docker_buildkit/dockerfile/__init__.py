"""What a Dockerfile and its ignore file say, as BuildKit understands them.

Pure of Pants. Nothing here starts a process, opens a file or talks to a network.
"""
