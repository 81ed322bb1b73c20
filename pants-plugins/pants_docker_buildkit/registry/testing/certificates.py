"""A certificate for `localhost` and 127.0.0.1, and the authority that signed it. For tests only.

Nobody trusts this authority, so the key may be public. Valid until 2120. The certificate is good
for a server and for a client; a stranger's is one for a client that this authority did not sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TestCertificates:
    """Files that a server or a client can load."""

    __test__ = False

    ca_file: str
    certificate_file: str
    key_file: str
    stranger_certificate_file: str
    stranger_key_file: str

    @classmethod
    def write(cls, directory: Path) -> TestCertificates:
        """The certificates, written into `directory`."""
        contents = {
            "ca.pem": _AUTHORITY,
            "localhost.pem": CERTIFICATE,
            "localhost.key": _KEY,
            "stranger.pem": _STRANGER,
            "stranger.key": _STRANGER_KEY,
        }
        for name, content in contents.items():
            (directory / name).write_text(content)
        return cls(*(str(directory / name) for name in contents))


_AUTHORITY = """\
-----BEGIN CERTIFICATE-----
MIIBZjCCAQugAwIBAgIBATAKBggqhkjOPQQDAjAZMRcwFQYDVQQDDA5UZXN0IGF1
dGhvcml0eTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowGTEXMBUG
A1UEAwwOVGVzdCBhdXRob3JpdHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARQ
w0AvLR9Qse+mtopXKQ00cP554Q5Abtq71/GkEXWyg+gnKypqmbaUPNkyOO3l7Q5Q
toQNRnLAPCGdIBbHpjh1o0IwQDAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQE
AwIBBjAdBgNVHQ4EFgQUnmd6/DXXiGwNviynLwqolGPJkBIwCgYIKoZIzj0EAwID
SQAwRgIhAJDuSjyPTkrMfpA5vo9n2MV7j94zSOPuEEIbjCdVF7JbAiEAjLyjxQuG
1+KDNT5ngeIHqDPPhIRKgAJIZAoTEqTgyxk=
-----END CERTIFICATE-----
"""

CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBqTCCAU6gAwIBAgIBAjAKBggqhkjOPQQDAjAZMRcwFQYDVQQDDA5UZXN0IGF1
dGhvcml0eTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowFDESMBAG
A1UEAwwJbG9jYWxob3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaY6om3fL
U4mjhIjXgq4j/+l1b8tYqvmkvg/l+i33tsp5CwRi8wggjPDkZ1JUxUrrny5Lgx3z
142MtXYpf8pKZqOBiTCBhjAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwHQYD
VR0lBBYwFAYIKwYBBQUHAwEGCCsGAQUFBwMCMAkGA1UdEwQCMAAwHQYDVR0OBBYE
FBIeY2++KG8UNTwsm0ID9pOLSXquMB8GA1UdIwQYMBaAFJ5nevw114hsDb4spy8K
qJRjyZASMAoGCCqGSM49BAMCA0kAMEYCIQDEZnwqK/4hqsbdVR7iV/Ir6SYa+0IN
py73UdAubxFcIwIhALdQtWvuD0cpnotJZNQp4d7vzkjUdYsM/yfFdU/YJVa/
-----END CERTIFICATE-----
"""

_KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAC7XaBNsbQUqexw9
v/Ujvnpwu92pd5S1vTs7NBhKfSuhRANCAARpjqibd8tTiaOEiNeCriP/6XVvy1iq
+aS+D+X6Lfe2ynkLBGLzCCCM8ORnUlTFSuufLkuDHfPXjYy1dil/ykpm
-----END PRIVATE KEY-----
"""

_STRANGER = """\
-----BEGIN CERTIFICATE-----
MIIBgjCCASigAwIBAgIUXtzfgvnGu+FNC7MI4d9iKj+keDowCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKQSBzdHJhbmdlcjAgFw0yNjExMjEyMTM5MDZaGA8yMTE5MTIy
NDIxMzkwNlowFTETMBEGA1UEAwwKQSBzdHJhbmdlcjBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABJNgn7ExkJwEhWgT2mDr1hFXD+j6V+TpgNsBJLuccAO9QalSuPOP
lqeB1ZkWLs7xbVdS2n3CyPN1XYCSW1jlevmjVDBSMAwGA1UdEwEB/wQCMAAwDgYD
VR0PAQH/BAQDAgeAMBMGA1UdJQQMMAoGCCsGAQUFBwMCMB0GA1UdDgQWBBTRrSeH
u1Irnb0MsdaiN0mJxWgM9DAKBggqhkjOPQQDAgNIADBFAiBdgZVaVdv9+LMEjfWB
EgFDJhBsACdTEIeLrGVhBd14KgIhAK3luF3hDzLRNmZvfYp4TlGybD/naPPZwQLQ
QTKYVSty
-----END CERTIFICATE-----
"""

_STRANGER_KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgmtZY4gsNNjnr1QM7
5+3xvyS0zB6hupIRjSzj+NYraqKhRANCAASTYJ+xMZCcBIVoE9pg69YRVw/o+lfk
6YDbASS7nHADvUGpUrjzj5angdWZFi7O8W1XUtp9wsjzdV2AkltY5Xr5
-----END PRIVATE KEY-----
"""
