#!/usr/bin/env bash
# Does what docker/Dockerfile says, instruction by instruction, in a clean root: for a machine
# on which no image can be built. Then runs the entry point as the image's user would: the hook
# and the executor of ImageExampleGen, on a few images. Needs root, unshare and chroot.
#
# The root holds this Debian's /usr, without /usr/local, and in place of the base image's
# Python the one of PYTHON. What it cannot show: that the base image is there, and the layers.
# Usage: scripts/check_image.sh FOLDER      (FOLDER is made; about 4 GB)
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
dockerfile=$here/docker/Dockerfile
python=${PYTHON:-$(python3 -c 'import sys; print(sys.base_prefix)')}

if [ -z "${IN_NAMESPACE:-}" ]; then # the mounts go when this process does
    IN_NAMESPACE=1 exec unshare --mount --pid --fork "$0" "$@"
fi

mkdir "$1"
root=$(cd "$1" && pwd)
workdir=/
user=0
variables=()

base() { # what FROM stands for
    [ "$1" = python:3.11-slim-bookworm ] || { echo "FAILED: unknown base $1"; exit 1; }
    [ "$(. /etc/os-release && echo "$VERSION_CODENAME")" = bookworm ] ||
        { echo "FAILED: the check stands in for bookworm, on bookworm only"; exit 1; }
    "$python/bin/python3.11" --version
    mkdir -p "$root"/{usr,proc,dev,tmp,root,home,var/tmp,opt,local}
    for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done
    cp -a /etc "$root/etc"
    sed -i -E '/^[^:]*:[^:]*:1[0-9]{3}:/d' "$root"/etc/passwd "$root"/etc/group # people of this machine
    tar -C "$python" --exclude='site-packages/*' --exclude=__pycache__ -cf - bin include lib |
        tar -C "$root/local" -xf -
    cp -a "$python"/lib/python3.11/site-packages/{pip,pip-*} "$root/local/lib/python3.11/site-packages"
    mount --bind -o ro /usr "$root/usr"
    mount --bind "$root/local" "$root/usr/local"
    mount --bind -o ro /opt "$root/opt" # a mirror of PyPI, where pip's settings name one
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    chmod 1777 "$root/tmp"
    inside ldconfig
}

inside() { # inside COMMAND...: in the root, with the image's variables, folder and user
    local kept
    mapfile -t kept < <(env | grep -iE '^(PIP|UV|SSL|REQUESTS)_|_proxy=' || true)
    chroot --userspec="$user:$user" "$root" /usr/bin/env -i HOME="$([ "$user" = 0 ] && echo /root || echo /home/tf_scl)" \
        PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin "${kept[@]}" "${variables[@]}" \
        sh -c 'cd "$0" && exec "$@"' "$workdir" "$@"
}

quietly() { # quietly COMMAND...: inside, and what it says on stderr only if it fails
    inside "$@" 2>"$root/tmp/log" || { tail -n 30 "$root/tmp/log" && exit 1; }
}

copy() { # copy SOURCE... TARGET, of what .dockerignore lets through
    local target=${*: -1} source
    for source in "${@:1:$#-1}"; do
        grep -qx "!${source%/}" "$here/.dockerignore" ||
            grep -qx "!${source%%/*}" "$here/.dockerignore" ||
            { echo "FAILED: .dockerignore keeps $source back"; exit 1; }
        mkdir -p "$root$workdir/$target"
        if [ -d "$here/$source" ]; then # Docker copies what is in a folder
            tar -C "$here/$source" --exclude=__pycache__ -cf - . | tar -C "$root$workdir/$target" -xf -
        else
            cp "$here/$source" "$root$workdir/$target"
        fi
    done
}

instruction() { # instruction NAME REST
    printf '\n##### %s %s\n' "$1" "$2"
    local words
    case $1 in
    FROM) base "$2" ;;
    ARG) variables+=("${2?}") ;;
    ENV) # $PATH is that of the base image
        for word in $2; do variables+=("${word//\$PATH//usr/local/bin:/usr/bin:/bin}"); done ;;
    WORKDIR) workdir=$2 && mkdir -p "$root$2" ;;
    COPY) read -ra words <<<"$2" && copy "${words[@]}" ;;
    RUN) inside sh -c "$2" ;;
    USER) user=$2 ;;
    ENTRYPOINT) mapfile -t entrypoint < <(python3 -c 'import json, sys
print(*json.loads(sys.argv[1]), sep="\n")' "$2") ;;
    *) echo "FAILED: this check does not know $1" && exit 1 ;;
    esac
}

line=
while IFS= read -r part; do
    case $part in '#'* | '') continue ;; esac
    line+=${part%\\}
    [ "${part%\\}" = "$part" ] || continue
    instruction "${line%% *}" "${line#* }"
    line=
done <"$dockerfile"

printf '\n##### --build-arg CUDA=yes resolves\n'
user=0 inside .tools/uv/bin/uv pip install --dry-run --python .venv/bin/python \
    --constraint requirements/lane-a.lock 'tensorflow[and-cuda]' 2>&1 | tail -n 3

printf '\n##### the entry point, as user %s\n' "$user"
inside id
quietly python - <<'PYTHON'
import json, os
import numpy as np, PIL.Image
from components.image_example_gen.component import ImageExampleGen
from tf_scl.config import Config

for number in range(40):
    name = f"/tmp/images/{'ab'[number % 2]}/{number}.png"
    os.makedirs(os.path.dirname(name), exist_ok=True)
    PIL.Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(name)
component = ImageExampleGen("/tmp/images", Config().to_dict()["ingest"])
outputs = {
    "examples": {"schemaTitle": "tfx.Examples"},
    "report": {"schemaTitle": component.outputs["report"].type.TYPE_NAME},
}
given = {
    "inputs": {"parameterValues": component.spec.exec_properties},
    "outputs": {
        "artifacts": {
            key: {"artifacts": [{"name": key, "type": kind, "uri": f"/tmp/out/{key}"}]}
            for key, kind in outputs.items()
        },
        "outputFile": "/tmp/out/output.json",
    },
}
names = {key: {"parameterType": "STRING"} for key in component.spec.exec_properties}
open("/tmp/given.json", "w").write(json.dumps(given))
open("/tmp/names.json", "w").write(json.dumps({"parameters": names}))
PYTHON
arguments=(--json_serialized_invocation_args "$(cat "$root/tmp/given.json")"
    --json_serialized_inputs_spec_args "$(cat "$root/tmp/names.json")")
quietly python -m components.image_example_gen.kubeflow_hook "${arguments[@]}"
grep -o '"input_fingerprint": "[^"]*"' "$root/tmp/out/output.json"
quietly "${entrypoint[@]}" --executor_class_path components.image_example_gen.executor.Executor \
    "${arguments[@]}" --runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner \
    --direct_running_mode=in_memory --setup_file=/app/setup.py
cat "$root/tmp/out/report/summary.json"
grep -q '"files": 40' "$root/tmp/out/report/summary.json"
quietly python -m pipeline.kubeflow_runner --data /tmp/images --root gs://b/r --image i \
    --output /tmp/pipeline.yaml
printf '\n##### the image checks passed\n'
