"""Certificates for servers on this machine, signed by themselves, made by the openssl program."""

import os
import subprocess

_CONFIG = """[req]
distinguished_name = name
x509_extensions = extensions
prompt = no
[name]
CN = %(first)s
[extensions]
subjectAltName = %(all)s
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, digitalSignature
"""


def make_certificate(folder, names=("DNS:localhost", "IP:127.0.0.1")):
    """Return (certificate, key): paths in ``folder`` of a new pair that is good for ``names``."""
    config, certificate, key = (os.path.join(str(folder), name)
                                for name in ("openssl.cnf", "server.crt", "server.key"))
    with open(config, "w") as stream:
        stream.write(_CONFIG % {"first": names[0].partition(":")[2], "all": ",".join(names)})
    subprocess.check_call(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                           "-config", config, "-keyout", key, "-out", certificate],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return certificate, key
