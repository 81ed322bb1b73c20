ARG BASE
FROM ${BASE:?needed}
