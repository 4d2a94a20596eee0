"""Whom to believe: certificate authorities, as an SSLContext per policy."""

import os

from udocker.errors import HostError

#: Where a user says which file of certificates to use, in the order in which it is obeyed.
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")

#: Where distributions keep theirs. The host's come before the ones that we carry: its
#: administrator may have added a site's own authority, and keeps them fresh.
HOST_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",                 # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # RHEL, Fedora
    "/etc/pki/tls/certs/ca-bundle.crt",                   # CentOS 7
    "/etc/ssl/ca-bundle.pem",                             # SLES
    "/var/lib/ca-certificates/ca-bundle.pem",             # openSUSE
    "/etc/ssl/cert.pem",                                  # Alpine, BSD
)

#: Where an administrator trusts an authority for one registry only (containers-certs.d(5)).
CERTS_DIRECTORIES = ("/etc/containers/certs.d", "/etc/docker/certs.d")


class Trust(object):
    """The files to verify registries with.

    environ (mapping): where CA_VARIABLES are looked up.
    bundles and directories (sequence of str): see HOST_BUNDLES and CERTS_DIRECTORIES.
    """

    def __init__(self, environ, bundles=HOST_BUNDLES, directories=CERTS_DIRECTORIES):
        self._environ = environ
        self._bundles = bundles
        self._directories = directories

    def files_for(self, host):
        """Return the certificate files (tuple of str) for ``host`` (``name[:port]``) alone."""
        found = []
        for directory in self._directories:
            folder = os.path.join(directory, host)
            try:
                names = sorted(os.listdir(folder))
            except OSError:
                continue  # nobody said anything about this host, or not to us
            found += [os.path.join(folder, name) for name in names if name.endswith(".crt")]
        return tuple(found)

    def context(self, extra=(), verify=True):
        """Return a new ``ssl.SSLContext``.

        extra (sequence of str): certificate files to believe besides the general ones.
        verify (bool): False for a host that the user called insecure.

        One context serves every connection under one policy. Loading a distribution's bundle
        takes longer than a whole request on a local network, so it must not happen per connection.
        """
        import ssl
        from urllib3.util.ssl_ import create_urllib3_context
        # the mode has to be there from the start: before 3.7.4, what urllib3 sets up for a
        # verified connection makes OpenSSL verify for good (bpo-37428)
        context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED if verify else ssl.CERT_NONE)
        # TLS 1.0 and 1.1 are deprecated (RFC 8996)
        if hasattr(ssl, "TLSVersion"):
            context.minimum_version = ssl.TLSVersion.TLSv1_2
        else:  # Python 3.6
            context.options |= ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1
        if not verify:
            return context
        self._load_general(context)
        for path in extra:
            _load(context, path)
        return context

    def _load_general(self, context):
        for variable in CA_VARIABLES:
            path = self._environ.get(variable)
            if path:
                return _load(context, path)
        for path in self._bundles:
            if os.path.isfile(path):
                return _load(context, path)
        # A pyz cannot hand OpenSSL a path inside itself, and a copy in a directory for temporary
        # files would have to be guarded against others (CVE-2026-25645): give it the bytes.
        import pkgutil
        carried = pkgutil.get_data("certifi", "cacert.pem")
        context.load_verify_locations(cadata=carried.decode("ascii"))


def _load(context, path):
    try:
        if os.path.isdir(path):
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise HostError("cannot read the CA certificates in %s: %s"
                        % (path, getattr(error, "strerror", None) or "no certificate in it"),
                        "correct %s or the file" % " or ".join(CA_VARIABLES))
