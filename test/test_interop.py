"""
smtp(8) into other people's mail systems: two hundred messages of every size
and shape, in each way of speaking, compared byte for byte with what each
system then holds in its queue or in its mailboxes.
"""

import tempfile

import pytest

import interop
import parcels
from interop import ways
from peers_mta import DovecotLmtp, Exim, Opensmtpd, Sendmail
from peers_postfix import Postfix

pytestmark = pytest.mark.timeout(120)

PILE = parcels.assortment(200)
# OpenSMTPD 6.8 puts one recipient's NOTIFY on all that follow in a message.
UNMIXED = parcels.assortment(200, mixed=False)
# The fewer mailboxes must be made, the better.
SHARED = parcels.assortment(200, user="user{0}")


def run(office, peer, way, *options, dsn=True, pile=PILE):
    has_dsn = dsn and way != "-77"
    interop.deliver(office, peer, pile, way, *options, has_dsn=has_dsn)
    parcels.compare(pile, peer.taken(), has_dsn)


@ways()
def test_postfix(office, server, way):
    run(office, server(Postfix), way)


@ways()
def test_exim(office, server, way):
    run(office, server(Exim), way)


@ways()
def test_sendmail(office, server, way):
    run(office, server(Sendmail), way)


@ways()
def test_opensmtpd(office, server, way):
    run(office, server(Opensmtpd), way, pile=UNMIXED)


@ways(without=("-77",))
def test_dovecot_lmtp(office, server, way):
    run(office, server(DovecotLmtp), way, "-M", "-p", "24", dsn=False,
        pile=SHARED)


# ---- the same servers with less to offer ------------------------------------

LESS_POSTFIX = {
    "no CHUNKING": "chunking",
    "no PIPELINING": "pipelining",
    "neither": "chunking, pipelining",
    "no DSN": "dsn",
    "no 8BITMIME": "8bitmime",
    "no SIZE": "size",
    "no ENHANCEDSTATUSCODES": "enhancedstatuscodes",
    "nothing": "chunking, pipelining, dsn, 8bitmime, size, smtputf8, "
               "enhancedstatuscodes, etrn, vrfy",
}
LESS_EXIM = {
    "no CHUNKING": {"chunking_advertise_hosts": ""},
    "nothing": {name: "" for name in (
        "chunking_advertise_hosts", "pipelining_advertise_hosts",
        "pipelining_connect_advertise_hosts", "dsn_advertise_hosts",
        "smtputf8_advertise_hosts")} | {"accept_8bitmime": "false",
                                        "prdr_enable": "false"},
}
LESS_SENDMAIL = {
    "no PIPELINING": {"features": "P"},
    "no DSN": {"privacy": "noreceipts"},
    "no DELIVERBY": {"min_by": -1},
}


@interop.variants(LESS_POSTFIX, short=("no CHUNKING", "nothing"))
def test_postfix_with_less(office, server, variant):
    words = LESS_POSTFIX[variant]
    run(office, server(Postfix, smtpd_discard_ehlo_keywords=words), "",
        dsn="dsn" not in words)


@interop.variants(LESS_EXIM, short=("no CHUNKING",))
def test_exim_with_less(office, server, variant):
    run(office, server(Exim, **LESS_EXIM[variant]), "",
        dsn=variant != "nothing")


@interop.variants(LESS_SENDMAIL, short=("no PIPELINING",))
def test_sendmail_with_less(office, server, variant):
    run(office, server(Sendmail, **LESS_SENDMAIL[variant]), "",
        dsn=variant != "no DSN")


# ---- LMTP at a socket -------------------------------------------------------


def test_dovecot_lmtp_socket(office, server):
    """A UNIX socket's path is short: so must be the server's folder."""
    with tempfile.TemporaryDirectory(prefix="zpost-") as folder:
        dovecot = server(DovecotLmtp, folder)
        pile = SHARED[10:60]
        interop.deliver(office, dovecot, pile, "", "-M", has_dsn=False,
                        destination=f"UNIX:{dovecot.socket}")
        parcels.compare(pile, dovecot.taken())
