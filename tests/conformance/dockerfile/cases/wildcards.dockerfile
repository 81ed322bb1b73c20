FROM scratch
COPY *.txt a?b [a-c]d e\*f **/g /dst/
