"""The image: its list, the Dockerfile that copies it, and the image that the live suites make of it."""

import glob
import json
import os
import re
import shutil
import stat
import tarfile

from suite import LIVE, ROOT, TMP, require, run

LIST = f"{ROOT}/images/rootfs.txt"
# What the HDFS client loads by name when a cluster asks for Kerberos: no program is linked with it.
LOADED_BY_NAME = "libgssapi_krb5.so.2"


def listed():
    """Paths that the list names, on this machine's architecture: (path in the image, where it comes from)."""
    for line in open(LIST, encoding="utf-8"):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        require(len(words) <= 2, f"images/rootfs.txt: a line has a path and at most a source: {line!r}")
        if len(words) == 2:
            yield words[0], words[1]
            continue
        found = glob.glob(words[0])
        require(len(found) == 1, f"images/rootfs.txt: {words[0]} fits {found}")
        yield found[0], found[0]


def files(root):
    return {"/" + os.path.relpath(os.path.join(folder, name), root) for folder, _, names in os.walk(root) for name in names}


def check():
    """What was found, in one sentence."""
    root, binaries = f"{TMP}/rootfs", os.path.dirname(shutil.which("gristmill"))
    shutil.rmtree(root, ignore_errors=True)
    run(f"{ROOT}/images/rootfs.sh", root, binaries)
    wanted = {path for path, _ in listed()}
    require(files(root) == wanted, f"rootfs.sh and its list differ in {sorted(files(root) ^ wanted)}")
    check_dockerfile()
    check_libraries(root)
    size = check_live_image(root, wanted)
    return f"image: {len(wanted)} files, {size >> 20} MiB, as images/rootfs.txt has them"


def check_dockerfile():
    """The last stage is the folder of the list on an empty base, and nothing else."""
    stages = re.split(r"^FROM ", open(f"{ROOT}/Dockerfile", encoding="utf-8").read(), flags=re.MULTILINE)[1:]
    stages = [[line for line in stage.splitlines() if line and not line.startswith("#")] for stage in stages]
    first, last = stages
    require("RUN images/rootfs.sh /rootfs" in first, "the Dockerfile does not make the folder of images/rootfs.txt")
    require(last[0] == "scratch", f"the last stage begins with {last[0]}")
    content = [line for line in last[1:] if line.split()[0] not in ("ENV", "USER", "ENTRYPOINT")]
    require(content == ["COPY --from=build /rootfs /"], f"the last stage has more than the list: {content}")
    copied = [line for line in first if line.startswith("COPY")]
    require(copied == ["COPY . ."], f"the build copies {copied}, not the repository")
    ignored = open(f"{ROOT}/.dockerignore", encoding="utf-8").read().split()
    sources = {source for _, source in listed() if not source.startswith(("/", "@"))}
    require(not any(source.split("/")[0] in ignored for source in sources), "the build would not see a file of the list")


def check_libraries(root):
    """Each program and library finds in the image alone what it is linked with."""
    loader = next(path for path in files(root) if os.path.basename(path).startswith("ld-linux"))
    for path in sorted(files(root)):
        if path == loader or not os.stat(root + path).st_mode & stat.S_IXUSR:
            continue
        run("chroot", root, loader, "--list", path)
    with open(f"{root}/usr/local/bin/gristmill", "rb") as program:
        require(LOADED_BY_NAME.encode() in program.read(), f"gristmill no longer loads {LOADED_BY_NAME}")
    require(any(path.endswith(f"/{LOADED_BY_NAME}") for path in files(root)), f"the image lacks {LOADED_BY_NAME}")
    for program in ("gristmill", "gristmill-operator"):
        require(run("chroot", "--userspec=65532:65532", root, f"/usr/local/bin/{program}", "--version").startswith(program),
                f"{program} does not start in the image")


def check_live_image(root, wanted):
    """The image of the live suites has these files and no other; its size."""
    tar = f"{TMP}/image.tar"
    run("python3", f"{LIVE}/kubernetes/image.py", tar, "localhost/gristmill:1", "--rootfs", root, "--entrypoint", "/usr/local/bin/gristmill")
    with tarfile.open(tar) as image:
        def blob(digest):
            return image.extractfile(f"blobs/{digest.replace(':', '/')}")

        index = json.load(image.extractfile("index.json"))
        manifest = json.load(blob(index["manifests"][0]["digest"]))
        names = set()
        for layer in manifest["layers"]:
            with tarfile.open(fileobj=blob(layer["digest"])) as content:
                names |= {f"/{entry.name}" for entry in content if entry.isfile()}
    require(names == wanted, f"the image of the live suites differs in {sorted(names ^ wanted)}")
    return os.path.getsize(tar)
