FROM scratch
ADD src/base/busybox/rootfs.amd64.tar.gz /
SHELL ["/bin/busybox", "sh", "-c"]
