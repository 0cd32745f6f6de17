#!/usr/bin/env python3
"""Makes an OCI image (a tar for load-image.sh) out of programs on this machine.

    image.py OUT.tar NAME:TAG PROGRAM=/path/in/image... [--entrypoint /path/in/image]
    image.py OUT.tar NAME:TAG --rootfs FOLDER --entrypoint /path/in/image

With --rootfs the image is that folder and nothing else. Otherwise a dynamically
linked program brings the libraries that ldd names, its loader included, at the
paths they have here. No registry and no Docker engine takes part. The same input
gives the same bytes, so an unchanged image is not imported twice.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import re
import subprocess
import sys
import tarfile
import tempfile

USER = 65532
PASSWD = f"root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:{USER}:{USER}:nonroot:/tmp:/sbin/nologin\n"
GROUP = f"root:x:0:\nnonroot:x:{USER}:\n"
# Without this file glibc would not look into /etc/hosts.
NSSWITCH = "hosts: files dns\n"
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def libraries(program):
    """The paths of every library that the program loads; none if it is static."""
    answer = subprocess.run(["ldd", program], capture_output=True, text=True)
    if answer.returncode != 0:  # "not a dynamic executable"
        return []
    if "not found" in answer.stdout:
        sys.exit(f"{program} misses a library:\n{answer.stdout}")
    # "libc.so.6 => /lib/x.so (0x..)", or only a path for the loader.
    return re.findall(r"(?:=>\s+|^\s+)(/\S+)\s+\(0x", answer.stdout, re.MULTILINE)


class Layer:
    """A file system, as the one layer that the image has."""

    def __init__(self):
        self.buffer = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buffer, mode="w", format=tarfile.GNU_FORMAT)
        self.seen = set()

    def folder(self, path, mode=0o755):
        path = path.strip("/")
        if not path or path in self.seen:
            return
        self.folder(os.path.dirname(path))
        self._add(path, tarfile.DIRTYPE, mode)

    def file(self, path, data, mode=0o644):
        path = path.strip("/")
        if path not in self.seen:
            self.folder(os.path.dirname(path))
            self._add(path, tarfile.REGTYPE, mode, data)

    def link(self, path, target):
        self.folder(os.path.dirname(path))
        self._add(path.strip("/"), tarfile.SYMTYPE, 0o777, target=target)

    def _add(self, path, kind, mode, data=b"", target=""):
        self.seen.add(path)
        entry = tarfile.TarInfo(path)
        entry.type, entry.mode, entry.size, entry.linkname = kind, mode, len(data), target
        self.tar.addfile(entry, io.BytesIO(data))

    def data(self):
        self.tar.close()
        return self.buffer.getvalue()


def read(path, strip):
    if not strip:
        with open(path, "rb") as file:
            return file.read()
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run(["strip", "-o", file.name, path], check=True)
        return file.read()


def layer_of_folder(root):
    """The folder as it is, with its modes; everything belongs to root."""
    layer = Layer()
    for folder, folders, files in sorted(os.walk(root)):
        for name in sorted(folders):
            path = os.path.join(folder, name)
            layer.folder(os.path.relpath(path, root), os.stat(path).st_mode & 0o7777)
        for name in sorted(files):
            path = os.path.join(folder, name)
            layer.file(os.path.relpath(path, root), read(path, False), os.stat(path).st_mode & 0o7777)
    return layer.data()


def build_layer(options):
    if options.rootfs:
        return layer_of_folder(options.rootfs)
    layer = Layer()
    layer.folder("tmp", 0o1777)
    layer.folder(options.workdir)
    layer.file("etc/passwd", PASSWD.encode())
    layer.file("etc/group", GROUP.encode())
    layer.file("etc/nsswitch.conf", NSSWITCH.encode())
    for source, target in options.programs:
        layer.file(target, read(source, options.strip), 0o755)
        for library in libraries(source):
            layer.file(library, read(library, False), 0o755)
    for source, target in options.file:
        layer.file(target, read(source, False))
    for path, target in options.link:
        layer.link(path, target)
    if options.ca_certificates:
        layer.file(CA_BUNDLE, read(CA_BUNDLE, False))
    return layer.data()


def write_image(options, layer):
    """An OCI image layout: blobs under their digests, and an index of them."""
    blobs = {}

    def blob(data, media_type, **more):
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"mediaType": f"application/vnd.oci.image.{media_type}", "digest": f"sha256:{digest}", "size": len(data), **more}

    platform_ = {"os": "linux", "architecture": ARCHITECTURES[platform.machine()]}
    layers = [blob(layer, "layer.v1.tar")]
    config = {
        **platform_,
        "config": {
            "User": options.user,
            "Entrypoint": [options.entrypoint],
            "WorkingDir": options.workdir,
            "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", *options.env],
        },
        "rootfs": {"type": "layers", "diff_ids": [layers[0]["digest"]]},
    }
    config = blob(json.dumps(config).encode(), "config.v1+json")
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": layers}
    names = {"io.containerd.image.name": options.name, "org.opencontainers.image.ref.name": options.name.rpartition(":")[2]}
    manifest = blob(json.dumps(manifest).encode(), "manifest.v1+json", platform=platform_, annotations=names)
    index = {"schemaVersion": 2, "manifests": [manifest]}

    with tarfile.open(options.out, "w") as tar:
        parts = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps(index).encode(), **blobs}
        for name, data in parts.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))


def pair(text):
    source, separator, target = text.partition("=")
    if not separator or not source or not target:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form A=B")
    return source, target


def tagged(text):
    name, _, tag = text.rpartition(":")
    # Kubernetes always pulls `latest`, and there is nowhere to pull from.
    if not name or "/" in tag or tag == "latest":
        raise argparse.ArgumentTypeError(f"{text!r} needs a tag, and one other than latest")
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("name", type=tagged, help="NAME:TAG, with a registry's name or localhost in front")
    parser.add_argument("programs", type=pair, nargs="*", metavar="PROGRAM=/path")
    parser.add_argument("--rootfs", metavar="FOLDER", help="the whole file system of the image")
    parser.add_argument("--entrypoint", help="default: the first program")
    parser.add_argument("--file", type=pair, action="append", default=[], metavar="FILE=/path", help="any other file")
    parser.add_argument("--link", type=pair, action="append", default=[], metavar="/path=TARGET", help="a symbolic link")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--workdir", default="/")
    parser.add_argument("--user", default=str(USER), help="numeric, or runAsNonRoot cannot be checked (%(default)s)")
    parser.add_argument("--strip", action="store_true", help="leave the programs' debug symbols out")
    parser.add_argument("--ca-certificates", action="store_true", help=f"add {CA_BUNDLE}")
    options = parser.parse_args()
    if bool(options.rootfs) == bool(options.programs) or (options.rootfs and not options.entrypoint):
        parser.error("name programs, or --rootfs and --entrypoint")
    options.entrypoint = options.entrypoint or options.programs[0][1]
    write_image(options, build_layer(options))


if __name__ == "__main__":
    main()
