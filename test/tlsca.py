"""
tlsca - certificates of every kind, made when a test wants them, and the TLSA
records that go with them.

    ca = Authority(folder)
    good = ca.issue("mx1.secure.example")
    late = ca.issue("mx1.secure.example", days=(-20, -10))
    deep = ca.authority("Intermediate").issue("mx1.secure.example")
    own = self_signed(folder, "mx1.secure.example")
    good.file                   # key, certificate, those above it: PEM
    good.tlsa(3, 1, 1)          # "3 1 1 0123..."
    good.tlsa(2, 0, 1)          # of the authority right above it
    ca.file                     # what one who trusts it is given

Names stand in subjectAltName alone; the common name is another one unless a
test wants it. Keys are P-256, or RSA of 2048 bits, of which each process makes
one, since they are slow to make.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import hashlib
import ipaddress
import itertools
import pathlib

import pytest

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
    MISSING = ""
except ImportError as reason:
    MISSING = str(reason)

NOT_THE_NAME = "common.name.example"
COUNT = itertools.count(1)
DIGESTS = {1: hashlib.sha256, 2: hashlib.sha512}


@functools.lru_cache(maxsize=4)
def rsa_key(which: int = 0):
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def make_key(kind):
    """"ec", "rsa", or a key that is there already."""
    if kind == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa_key() if kind == "rsa" else kind


def pem(*certificates) -> bytes:
    return b"".join(c.public_bytes(serialization.Encoding.PEM)
                    for c in certificates)


def der(certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def spki(certificate) -> bytes:
    return certificate.public_key().public_bytes(
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo)


def tlsa_of(certificate, usage: int, selector: int, matching: int) -> str:
    """Rdata. What no standard knows is made as if it were 0."""
    data = spki(certificate) if selector == 1 else der(certificate)
    digest = DIGESTS.get(matching)
    text = digest(data).hexdigest() if digest else data.hex()
    return f"{usage} {selector} {matching} {text}"


@dataclasses.dataclass
class Identity:
    """A key, its certificate, and what is sent above that."""

    key: object
    leaf: object
    above: tuple            # the issuer first; the last one is the anchor
    file: pathlib.Path      # PEM of all that is sent

    def tlsa(self, usage: int, selector: int, matching: int,
             level: int | None = None) -> str:
        """
        A record for it: of the leaf, or with usage 0 and 2 of its issuer.
        level counts upwards from the leaf.
        """
        if level is None:
            level = 1 if usage in (0, 2) and self.above else 0
        chain = (self.leaf, *self.above)
        return tlsa_of(chain[level], usage, selector, matching)

    def fingerprint(self, of: str = "cert", digest: str = "sha256") -> str:
        """As people write it, "AB:CD:..."."""
        data = spki(self.leaf) if of == "key" else der(self.leaf)
        return hashlib.new(digest, data).digest().hex(":").upper()

    @property
    def certificate_hash(self) -> bytes:
        """tls-server-end-point (RFC 5929 4.1) of what is made here."""
        return hashlib.sha256(der(self.leaf)).digest()


def subject(name: str):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def general_names(names) -> list:
    found = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def builder(name, issuer, key, days):
    begin = datetime.datetime.utcnow().replace(microsecond=0)
    return (x509.CertificateBuilder().subject_name(name).issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin + datetime.timedelta(days=days[0]))
            .not_valid_after(begin + datetime.timedelta(days=days[1])))


def save(folder: pathlib.Path, key, *certificates) -> pathlib.Path:
    path = folder / f"identity-{next(COUNT)}.pem"
    path.write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()) + pem(*certificates))
    path.chmod(0o600)
    return path


def leaf_certificate(names, cn, issuer_name, key, signer, days, usages):
    b = builder(subject(cn), issuer_name, key, days).add_extension(
        x509.BasicConstraints(False, None), True).add_extension(
        x509.ExtendedKeyUsage(usages), False)
    if names:
        b = b.add_extension(x509.SubjectAlternativeName(
            general_names(names)), False)
    return b.sign(signer, hashes.SHA256())


def both_usages() -> list:
    return [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]


class Authority:
    """Trusted by nobody unless they are given its file."""

    def __init__(self, folder, name: str = "Authority", above=None,
                 days=(-365, 3650)):
        if MISSING:
            pytest.skip(MISSING)
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.name = subject(f"{name} {next(COUNT)}")
        self.key = make_key("ec")
        top = above or self
        self.certificate = builder(
            self.name, top.name, self.key, days).add_extension(
            x509.BasicConstraints(True, None), True).add_extension(
            x509.KeyUsage(False, False, False, False, False, True, True,
                          False, False), True).sign(top.key, hashes.SHA256())
        self.chain = (self.certificate, *(above.chain if above else ()))
        self.file = self.folder / f"authority-{next(COUNT)}.pem"
        self.file.write_bytes(pem(self.certificate))

    def authority(self, name: str = "Intermediate", **how) -> "Authority":
        """One below this."""
        return Authority(self.folder, name, self, **how)

    def issue(self, *names, key="ec", days=(-1, 90), cn=NOT_THE_NAME,
              usages=None, with_root: bool = False) -> Identity:
        """
        names may be addresses too. The chain that is sent ends below the
        root, unless with_root, which DANE-TA wants if it names the root.
        """
        key = make_key(key)
        leaf = leaf_certificate(names, cn, self.name, key, self.key, days,
                                usages or both_usages())
        sent = self.chain if with_root else self.chain[:-1]
        return Identity(key, leaf, self.chain,
                        save(self.folder, key, leaf, *sent))


def self_signed(folder, *names, key="ec", days=(-1, 90),
                cn=NOT_THE_NAME) -> Identity:
    if MISSING:
        pytest.skip(MISSING)
    key = make_key(key)
    leaf = leaf_certificate(names, cn, subject(cn), key, key, days,
                            both_usages())
    return Identity(key, leaf, (), save(pathlib.Path(folder), key, leaf))
