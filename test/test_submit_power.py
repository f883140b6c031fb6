"""
Power failures: ext4 is told to stop in the midst, its journal not written
out, as if the machine had lost its power. Whoever was told an id has its
message after the next start, whole.
"""

import fcntl
import hashlib
import os
import re
import struct
import subprocess
import threading
import time

import pytest

from submitserver import Service, Wire, message
from submitted import spool_id

EXT4_SHUTDOWN, WITHOUT_JOURNAL = 0x8004587D, 2
CLIENTS = 8


def mount(image, folder, data) -> None:
    done = subprocess.run(["mount", "-o", f"loop,data={data}", str(image),
                           str(folder)], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted: {done.stderr.strip()}")


@pytest.fixture
def disk(need, tmp_path):
    """disk(data) mounts the one disk, again if need be."""
    image, folder = tmp_path / "image", tmp_path / "disk"
    folder.mkdir()
    with open(image, "wb") as file:
        file.truncate(100 << 20)
    subprocess.run([need("mkfs.ext4"), "-qF", str(image)], check=True)

    def again(data):
        if os.path.ismount(folder):
            subprocess.run(["umount", str(folder)], check=True)
        mount(image, folder, data)
        return folder

    yield again
    if os.path.ismount(folder):
        subprocess.run(["umount", str(folder)], check=True)


def submit(service, number, told) -> None:
    """One message after the other, until the service is gone."""
    try:
        with Wire(service) as wire:
            for n in range(10**6):
                body = b"%d %d\n" % (number, n) * (1 + n * 37 % 2000)
                digest = hashlib.md5(body).hexdigest().encode()
                wire.say(message(["bob@x"],
                                 b"X-Digest: %s\n\n%s" % (digest, body)))
                code, text = wire.answer()
                if code == 0:
                    told.append(text)
    except (EOFError, OSError):
        pass


def cut_power(folder) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, EXT4_SHUTDOWN, struct.pack("I", WITHOUT_JOURNAL))
    except OSError as error:
        pytest.skip(f"ext4 cannot be stopped here: {error}")
    finally:
        os.close(fd)


@pytest.mark.parametrize("data", ["ordered", "writeback"])
def test_what_was_told_is_there_and_whole_after_a_power_failure(disk, data):
    if os.getuid() != 0:
        pytest.skip("only root can mount")
    folder = disk(data)
    service = Service(folder / "base", {"SUBMITMAXCONN": "0"})
    told = []
    threads = [threading.Thread(target=submit, args=(service, n, told))
               for n in range(CLIENTS)]
    try:
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        cut_power(folder)
    finally:
        service.kill()
        for thread in threads:
            thread.join()
    disk(data)
    service.begin()
    try:
        found = set()
        for job in service.jobs():
            text = job.message.read_bytes()[job.body_offset:]
            digest = re.search(rb"\nX-Digest: (\w+)\n", job.data)[1]
            assert hashlib.md5(text).hexdigest().encode() == digest
            found.add(spool_id(job.message))
        assert told and set(told) <= found
        assert len(found) <= len(told) + CLIENTS
    finally:
        service.kill()
