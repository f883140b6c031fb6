"""
peers_tls - the servers of peers_mta.py and peers_postfix.py with a
certificate, and Dovecot's submission service, which knows many ways of AUTH.

    with TlsExim(tmp_path, identity) as exim: ...

identity is one of tlsca.py. Submission relays what it is given to a server of
the test, TlsServer or smtpd.Server, at `relay_port`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import time

from peerroot import Server
from peers_mta import DovecotLmtp, Exim, Opensmtpd, Sendmail
from peers_postfix import Postfix
from tlsca import Identity

CERT = "/etc/server.pem"        # with the key
USER, PASSWORD = "bob", "pencil"


def install(server: Server, identity: Identity, user: str = "root") -> None:
    """The certificate and its key, for this user alone."""
    path = server.write(CERT, identity.file.read_bytes(), 0o600)
    if user != "root":
        uid = server.USERS[user]
        os.chown(path, uid, uid)


class TlsPostfix(Postfix):
    def __init__(self, folder, identity: Identity, **main):
        self.identity = identity
        main = {"smtpd_tls_security_level": "may",
                "smtpd_tls_chain_files": CERT, "smtpd_tls_loglevel": 1,
                "smtpd_tls_received_header": "yes", **main}
        super().__init__(folder, **main)

    def setup(self) -> None:
        super().setup()
        install(self, self.identity)


EXIM_AUTH = """
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and {{eq{$auth2}{USER}}{eq{$auth3}{PASSWORD}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if and {{eq{$auth1}{USER}}{eq{$auth2}{PASSWORD}}}}
  server_set_id = $auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${if eq{$auth1}{USER}{PASSWORD}fail}
  server_set_id = $auth1
""".replace("USER", USER).replace("PASSWORD", PASSWORD)


class TlsExim(Exim):
    """GnuTLS; it offers AUTH within TLS alone."""

    def __init__(self, folder, identity: Identity, **main):
        self.identity = identity
        super().__init__(folder, tls_advertise_hosts="*",
                         tls_certificate=CERT, tls_privatekey=CERT,
                         auth_advertise_hosts="${if eq{$tls_in_cipher}{}{}"
                         "{*}}", **main)

    def setup(self) -> None:
        super().setup()
        install(self, self.identity, "Debian-exim")
        conf = self.folder / "etc/exim4/exim4.conf"
        text = conf.read_text().replace("tls_advertise_hosts =\n", "", 1)
        conf.write_text(text + EXIM_AUTH)


class TlsSendmail(Sendmail):
    def __init__(self, folder, identity: Identity, **how):
        self.identity = identity
        super().__init__(folder, **how)

    def setup(self) -> None:
        super().setup()
        install(self, self.identity)
        conf = self.folder / "etc/mail/sendmail.cf"
        lines = conf.read_text("utf-8", "surrogateescape").split("\n")
        # The first line of options is as good a place as any.
        at = next(i for i, x in enumerate(lines) if x.startswith("O "))
        lines[at:at] = [f"O ServerCertFile={CERT}", f"O ServerKeyFile={CERT}",
                        f"O CACertFile={CERT}", "O CACertPath=/etc"]
        conf.write_text("\n".join(lines), "utf-8", "surrogateescape")


class TlsOpensmtpd(Opensmtpd):
    """Its STARTTLS dies behind the 220."""

    def __init__(self, folder, identity: Identity, **how):
        self.identity = identity
        super().__init__(folder, **how)

    def setup(self) -> None:
        super().setup()
        install(self, self.identity)
        conf = self.folder / "etc/smtpd.conf"
        text = conf.read_text()
        conf.write_text(
            f'pki here cert "{CERT}"\npki here key "{CERT}"\n'
            + text.replace(" hostname opensmtpd.example",
                           " tls pki here hostname opensmtpd.example"))


class TlsDovecotLmtp(DovecotLmtp):
    def __init__(self, folder, identity: Identity, **main):
        self.identity = identity
        super().__init__(folder, ssl="yes", ssl_cert="<" + CERT,
                         ssl_key="<" + CERT, **main)

    def setup(self) -> None:
        super().setup()
        install(self, self.identity)
        conf = self.folder / "etc/dovecot/dovecot.conf"
        conf.write_text(conf.read_text().replace("ssl = no\n", "", 1))


SUBMISSION = """
protocols = submission
base_dir = /run/dovecot
state_dir = /var/lib/dovecot
log_path = /var/log/dovecot
ssl = required
ssl_cert = <{cert}
ssl_key = <{cert}
disable_plaintext_auth = yes
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:/mail/%u:INDEX=MEMORY
hostname = submission.example
default_internal_user = dovecot
default_internal_group = dovecot
default_login_user = dovenull
submission_relay_host = 127.0.0.1
submission_relay_port = {relay_port}
submission_relay_trusted = no
submission_backend_capabilities = 8BITMIME
passdb {{
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = /etc/dovecot/oauth2
}}
passdb {{
  driver = passwd-file
  args = /etc/dovecot/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/mail/%u allow_all_users=yes
}}
service submission-login {{
  chroot =
  inet_listener submission {{
    address = 127.0.0.1
    port = {port}
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
service anvil {{
  chroot =
}}
"""
KEY = b"0123456789abcdef0123456789abcdef"


def web_token(user: str, seconds: int = 3600) -> str:
    """A token that Submission accepts (a JWT with HS256)."""
    def encode(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    now = int(time.time())
    text = b".".join(encode(json.dumps(x).encode()) for x in (
        {"alg": "HS256", "typ": "JWT"},
        {"sub": user, "iat": now - 10, "exp": now + seconds}))
    signature = hmac.new(KEY, text, hashlib.sha256).digest()
    return (text + b"." + encode(signature)).decode()


class Submission(Server):
    NAME = "submission"
    PACKAGES = ["dovecot-core", "dovecot-submissiond"]
    USERS = {"dovecot": 61008, "dovenull": 61009}

    def __init__(self, folder, identity: Identity, relay_port: int,
                 mechanisms: str):
        self.identity = identity
        self.relay_port = relay_port
        self.mechanisms = mechanisms
        super().__init__(folder)

    def setup(self) -> None:
        install(self, self.identity)
        self.write("etc/dovecot/dovecot.conf", SUBMISSION.format(
            cert=CERT, port=self.port, relay_port=self.relay_port,
            mechanisms=self.mechanisms.lower()))
        self.write("etc/dovecot/users", f"{USER}:{{PLAIN}}{PASSWORD}\n")
        self.write("etc/dovecot/oauth2", "introspection_mode = local\n"
                   "local_validation_key_dict = fs:posix:prefix=/etc/keys/\n"
                   "username_attribute = sub\n")
        self.write("etc/keys/default/HS256/default", base64.b64encode(KEY))
        for name in ("run/dovecot", "var/lib/dovecot"):
            self.make_dir(name)
        self.make_dir("mail", "nobody", "nobody")

    def command(self) -> list[str]:
        return ["dovecot", "-F", "-c", "/etc/dovecot/dovecot.conf"]
