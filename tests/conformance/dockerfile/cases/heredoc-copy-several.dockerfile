FROM scratch
COPY <<one.txt <<"two.txt" three.txt <<-four.txt /dst/
1
one.txt
2 ${
two.txt
	4
	four.txt
ARG A=1
