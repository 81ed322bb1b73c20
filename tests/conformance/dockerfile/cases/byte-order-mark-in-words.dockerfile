FROM scratch
ARG A=a
COPY ﻿b ﻿$A c﻿d /
