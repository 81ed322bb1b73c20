ARG BASE=scratch
FROM \
  # the base
  ${BASE} \
  AS \
  final
