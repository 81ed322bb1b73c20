FROM tools:1 AS tools
FROM scratch
ARG ID=x
RUN --mount=type=secret,id=one --mount=type=secret,target=/run/two,required --mount=type=secret,source=$ID,required=true --mount=type=ssh --mount=type=ssh,id=key,required=true true
RUN --mount=target=/src --mount=type=bind,from=tools,source=/bin,target=/t --mount=type=cache,target=/c,from=cache:1 --mount=type=tmpfs,target=/tmp true
