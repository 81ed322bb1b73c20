arg v=1
from scratch as A
Arg v
copy --from=a / /
From a
