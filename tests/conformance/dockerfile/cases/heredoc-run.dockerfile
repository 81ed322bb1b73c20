FROM scratch AS a
ARG A=1
RUN <<EOF
FROM x
COPY y z
EOF
RUN cat <<-'A B' > /x && cat <<C
	foo
	A B
bar
C
ARG B=2
FROM scratch
COPY --from=a / /
