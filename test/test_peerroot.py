"""
Other people's servers in roots of their own (peerroot.py): what is promised
to the tests that use them, and to those who measure.
"""

import os
import re
import subprocess

import pytest

import peerroot
from parcels import small
from peers_mta import DovecotLmtp, Exim, Opensmtpd, Sendmail
from peers_postfix import Postfix

ALL = [Postfix, Exim, Sendmail, Opensmtpd, DovecotLmtp]


@pytest.mark.parametrize("kind", ALL)
def test_nothing_is_left_behind(server, kind):
    peer = server(kind)
    assert peer.greets()
    assert peer.process.pid in peer.processes()
    peer.stop()
    assert peer.processes() == [] and not peer.greets()
    peer.start()
    peer.kill()
    assert peer.processes() == [] and not peer.greets()
    peer.remove()
    assert not peer.folder.exists()


def test_what_all_share_is_not_written(server, tmp_path):
    """Roots are hard linked: a configuration must be a file of its own."""
    one, other = server(Postfix, tmp_path / "1"), server(Postfix,
                                                        tmp_path / "2")
    assert one.port != other.port
    for name in ("etc/postfix/main.cf", "etc/passwd", "etc/hosts"):
        assert (one.folder / name).stat().st_nlink == 1
        assert not (peerroot.ROOTS / "postfix" / name).exists()


def test_it_sees_a_root_of_its_own(server):
    peer = server(Postfix)
    assert peer.run("postconf", "-h", "mail_owner").stdout == b"postfix\n"
    for pid in peer.processes():
        assert os.readlink(f"/proc/{pid}/root") == str(peer.folder)


def test_package_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(peerroot, "PEERS", tmp_path)
    with pytest.raises(peerroot.Missing, match="postfix is not unpacked"):
        Postfix(tmp_path)


def test_postfix_drains_a_queue_into_postfix(server, tmp_path):
    """As it is measured: held, let go, and all over one connection."""
    sink = server(Postfix, tmp_path / "sink", mode="discard")
    source = server(Postfix, tmp_path / "source", mode="relay",
                    relay_port=sink.port)
    source.inject(30, size=2000)
    source.submit([p.header + b"\n" + p.body for p in small(3)])
    source.release()
    assert len(source.queue_files()) == 33
    source.flush()
    source.wait_empty(30)
    sent = re.findall(r"to=<b@example.net>, relay=\S+?:(\d+),.* status=sent",
                      source.log)
    assert sent == [str(sink.port)] * 33
    used = [int(n) for n in re.findall(r"conn_use=(\d+)", source.log)]
    assert max(used) >= 30
    sink.wait_empty(30)
    assert len(re.findall(r"status=sent \(\S+\)", sink.log)) == 33


def test_smtp_source_of_postfix(server):
    sink = server(Postfix, mode="discard")
    argv = sink.argv("smtp-source", "-d", "-s", "1", "-m", "20", "-l", "4096",
                     "-f", "a@example.org", "-t", "b@example.net",
                     f"127.0.0.1:{sink.port}")
    subprocess.run(argv, check=True, timeout=30, env=sink.environment)
    sink.wait_empty(30)
    assert len(re.findall(r"status=sent", sink.log)) == 20
