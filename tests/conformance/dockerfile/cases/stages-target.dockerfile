FROM scratch AS one
ARG A=1
FROM one AS two
ARG B=2
FROM image:3 AS three
ARG C=3
