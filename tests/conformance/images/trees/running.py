"""Trees about `RUN`, and what its steps find."""

from __future__ import annotations

from tests.conformance.images.tree import Files
from tests.conformance.images.trees.writing import (
    ACCOUNTS,
    BASE,
    COPY_ACCOUNTS,
    SCRATCH,
    program,
    tree,
)

FILES: Files = {"a": "a", "d/b": "b", "run": program()}
SECRET = {"token": "env=TREE_SECRET"}


def size_of(path: str) -> str:
    return f"df -k {path} | tail -1 | tr -s ' ' | cut -d' ' -f2"


TREES = (
    tree("run-shell", BASE, "RUN echo one > /x && echo two >> /x"),
    tree("run-exec", BASE, 'RUN ["/bin/touch", "/x", "/y z"]'),
    tree("run-heredoc", BASE, "RUN <<E", "mkdir /x", "echo $HOME > /x/y", "E"),
    tree("run-heredoc-program", BASE, "RUN sh -s a b <<E", 'echo "$2" > /x', "E"),
    tree("run-heredoc-quoted", BASE, "RUN <<'E' cat > /x", "$HOME stays", "E"),
    tree("run-continued", BASE, "RUN echo one \\", "  # a comment", "  two > /x"),
    tree("run-modes", BASE, "RUN umask 027; mkdir -p /x/y; touch /x/z; chmod 4711 /x/z"),
    tree("run-owners", BASE, "RUN mkdir /x && touch /x/y && chown 7:8 /x/y && chown 9 /x"),
    tree("run-links", BASE, "RUN echo 1 > /a; ln /a /b; ln -s a /c; ln -s /gone /d"),
    tree("run-hard-link-of-base", BASE, "RUN ln /bin/busybox /bin/again"),
    tree("run-special-files", BASE, "RUN mkfifo /pipe && mknod /null c 1 3"),
    tree("run-set-times", BASE, "RUN mkdir /x; touch -d @1000000000 /x/y /x; touch /now"),
    tree(
        "run-time-as-seen",
        BASE,
        "RUN touch /x",
        "RUN [ $(stat -c %Y /x) -gt 1600000000 ] && echo now > /seen",
    ),
    tree("run-removes", BASE, "RUN mkdir /x && touch /x/a /x/b", "RUN rm /x/a /bin/vi"),
    tree("run-removes-directory", BASE, "COPY d /x/", "RUN rm -r /x && mkdir /x", files=FILES),
    tree("run-replaces-kind", BASE, "COPY a /x", "RUN rm /x && mkdir /x", files=FILES),
    tree("run-changes-mode-only", BASE, "COPY run /x", "RUN chmod 700 /x", files=FILES),
    tree(
        "run-shows-context-modes",
        BASE,
        "COPY . /x/",
        "RUN ls -lR /x | cut -c1-10 > /y",
        files=FILES,
    ),
    tree("run-environment", BASE, "ENV A=1", "ARG B=2", "RUN env | sort > /x"),
    tree("run-hosts-file-is-no-output", BASE, "RUN cat /etc/hosts > /dev/null; ls /etc > /x"),
    tree("run-many-files", BASE, "RUN mkdir /x; for i in $(seq 200); do echo $i > /x/$i; done"),
    tree("mount-bind", BASE, "RUN --mount=target=/m cp -r /m/d /x", files=FILES),
    tree(
        "mount-bind-source",
        BASE,
        "RUN --mount=type=bind,source=d,target=/m cat /m/b > /x",
        files=FILES,
    ),
    tree(
        "mount-bind-writable", BASE, "RUN --mount=source=d,target=/m,rw touch /m/n /x", files=FILES
    ),
    tree(
        "mount-bind-stage",
        *(f"{BASE} AS made", "RUN echo 1 > /made", BASE),
        "RUN --mount=from=made,source=/made,target=/m cp /m /x",
    ),
    tree(
        "network-of-the-build-default",
        BASE,
        "RUN echo 1 > /x",
        build_network="default",
    ),
    tree(
        "network-of-the-build-overridden",
        BASE,
        "RUN --network=default echo 1 > /x",
        "RUN ls /sys/class/net > /y",
        build_network="none",
    ),
    tree(
        "mount-bind-two",
        BASE,
        "RUN --mount=type=bind,source=d,target=/m --mount=type=bind,source=a,target=/n \\",
        "  cat /m/b /n > /x",
        files=FILES,
    ),
    tree(
        "mount-bind-read-only",
        BASE,
        "RUN --mount=type=bind,target=/m,readonly touch /m/x || cp /m/a /x",
        files=FILES,
    ),
    tree(
        "mount-bind-variable",
        BASE,
        "ARG D=d",
        "RUN --mount=source=$D,target=/m cp /m/b /x",
        files=FILES,
    ),
    tree("mount-cache", BASE, "RUN --mount=type=cache,target=/c touch /c/x; ls /c | head -0 > /x"),
    tree(
        "mount-cache-private",
        BASE,
        "RUN --mount=type=cache,id=tree,sharing=private,target=/c,uid=7,gid=8,mode=0750 \\",
        "  stat -c '%u %g %a' /c > /x",
    ),
    tree(
        "mount-cache-from",
        BASE,
        "RUN --mount=type=cache,from=tools,target=/c,sharing=locked cat /c/t > /x",
        contexts={"tools": {"t": "tool"}},
    ),
    tree("mount-tmpfs", BASE, "RUN --mount=type=tmpfs,target=/t touch /t/x && ls /t > /x"),
    tree(
        "mount-tmpfs-size",
        BASE,
        f"RUN --mount=type=tmpfs,target=/t,size=1048576 {size_of('/t')} > /x",
    ),
    tree(
        "mount-tmpfs-on-base", BASE, "RUN --mount=type=tmpfs,target=/bin/t /bin/touch /bin/t/x /x"
    ),
    tree(
        "mount-secret",
        BASE,
        "RUN --mount=type=secret,id=token wc -c < /run/secrets/token > /x",
        secrets=SECRET,
    ),
    tree(
        "mount-secret-target",
        BASE,
        "RUN --mount=type=secret,id=token,target=/t,mode=0444,uid=7,gid=8 \\",
        "  stat -c '%a %u %g' /t > /x",
        secrets=SECRET,
    ),
    tree(
        "mount-secret-variable",
        BASE,
        "RUN --mount=type=secret,id=token,env=T echo ${#T} > /x",
        secrets=SECRET,
    ),
    tree(
        "mount-secret-missing", BASE, "RUN --mount=type=secret,id=none ls /run/secrets > /x; true"
    ),
    tree("mount-ssh-missing", BASE, 'RUN --mount=type=ssh echo "<$SSH_AUTH_SOCK>" > /x'),
    tree(
        "mount-ssh-named-missing",
        BASE,
        'RUN --mount=type=ssh,id=mine,target=/s echo "<$SSH_AUTH_SOCK>" > /x',
    ),
    tree("mount-ssh-not-required", BASE, "RUN --mount=type=ssh,required=false echo 1 > /x"),
    tree(
        "mount-several",
        BASE,
        "RUN --mount=source=d,target=/m --mount=type=tmpfs,target=/t cp /m/b /x",
        files=FILES,
    ),
    tree("network-none", BASE, "RUN --network=none ls /sys/class/net > /x"),
    tree("network-none-twice", BASE, "RUN --network=none echo 1 > /x", "RUN echo 2 > /y"),
    tree("network-default", BASE, "RUN --network=default echo 1 > /x"),
    tree("network-of-the-build", BASE, "RUN ls /sys/class/net > /x", build_network="none"),
    tree("hosts", BASE, "RUN grep db /etc/hosts > /x", extra_build_hosts={"db": "10.0.0.1"}),
    tree("hosts-of-ipv6", BASE, "RUN grep six /etc/hosts > /x", extra_build_hosts={"six": "::1"}),
    tree(
        "hosts-two",
        BASE,
        "RUN grep -c 10.1 /etc/hosts > /x",
        extra_build_hosts={"a": "10.1.0.1", "b": "10.1.0.2"},
    ),
    tree("ulimits", BASE, "RUN ulimit -n > /x", ulimits={"nofile": "100:200"}),
    tree(
        "shm-size",
        BASE,
        f"RUN {size_of('/dev/shm')} > /x",
        shm_size="128m",
    ),
    tree("shell", BASE, 'SHELL ["/bin/sh", "-e", "-c"]', "RUN echo $- > /x"),
    tree(
        "shell-twice",
        BASE,
        'SHELL ["/bin/ash", "-c"]',
        "RUN echo 1 > /x",
        'SHELL ["/bin/sh", "-c"]',
        "CMD a",
    ),
    tree(
        "shell-for-later",
        SCRATCH,
        'SHELL ["/bin/powershell", "-Command"]',
        "CMD dir",
        "ENTRYPOINT ls",
    ),
    tree(
        "user",
        *(BASE, COPY_ACCOUNTS, "RUN mkdir -m 777 /w", "USER ada", "RUN id -u > /w/x"),
        files=ACCOUNTS,
    ),
    tree(
        "user-by-number",
        BASE,
        "RUN mkdir -m 777 /w",
        "USER 7:8",
        "RUN touch /w/x",
        "WORKDIR /w/new",
    ),
    tree("user-and-group", BASE, COPY_ACCOUNTS, "USER ada:wheel", "COPY passwd /x", files=ACCOUNTS),
    tree("workdir", BASE, "WORKDIR /a", "WORKDIR b", "RUN pwd > x", "WORKDIR /c/../d"),
    tree("workdir-variable", BASE, "ENV D=/e", "WORKDIR $D/f", "RUN touch g"),
    tree("workdir-alone", SCRATCH, "WORKDIR /only/this"),
)
