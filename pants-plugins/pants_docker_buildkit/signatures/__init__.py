"""Sign images, and see whether they are signed: by cosign, or a program with a small protocol.

Pure of Pants. What is signed or verified lies in registries, which the plugin's own client asks;
the programs get digests and documents.
"""
