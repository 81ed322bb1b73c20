FROM scratch AS one
FROM one AS two
