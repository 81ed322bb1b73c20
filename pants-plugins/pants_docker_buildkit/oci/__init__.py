"""What the OCI and Docker image specifications say: digests, references, manifests, layouts.

Pure of Pants. Only `layout.py` touches a file system; nothing here talks to a network.
"""
