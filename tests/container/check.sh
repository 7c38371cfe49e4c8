#!/usr/bin/env bash
# Builds both targets of the Dockerfile and tests them: trains for three steps, samples from the model, and serves it.
# Installs nothing. BASE_IMAGE and BUILD_OPTIONS are passed to the builder; TENSORFLOW defaults to cpu.
set -euo pipefail
cd "$(dirname "$0")/../.."

missing() {
  echo "make container: error: $1" >&2
  exit 69
}

command -v hadolint > /dev/null || missing "hadolint is not installed; get it from https://github.com/hadolint/hadolint"
builder=""
for candidate in docker podman buildah; do
  if "$candidate" info > /dev/null 2>&1; then builder=$candidate; break; fi
done
[ -n "$builder" ] || missing "none of docker, podman and buildah is installed and works; install one of them"

hadolint Dockerfile

work=$(mktemp -d)
trap 'rm -rf "$work" 2> /dev/null || true' EXIT # with docker, the container's files belong to another user
options=(--build-arg "TENSORFLOW=${TENSORFLOW:-cpu}")
[ -z "${BASE_IMAGE:-}" ] || options+=(--build-arg "BASE_IMAGE=$BASE_IMAGE")
read -ra more <<< "${BUILD_OPTIONS:-}"
for target in sample train; do
  "$builder" build "${options[@]}" "${more[@]}" --target "$target" --tag "textgen:$target" .
done

# run TARGET MOUNT ARGUMENT...: runs an image's command, or the one that $entry names, as the image's user, with Vertex AI's
# environment variables and with MOUNT as /home/textgen/here. buildah does not run the entry point, so it is named here.
run() {
  local target=$1 mount=$2 place=/home/textgen/here command=${entry:-textgen-$1}
  shift 2
  local given=(--volume "$mount:$place" --env "AIP_MODEL_DIR=$place/model/"
    --env "AIP_CHECKPOINT_DIR=$place/job/checkpoints/" --env "AIP_TENSORBOARD_LOG_DIR=$place/job/logs/")
  if [ "$builder" = buildah ]; then
    local container
    container=$(buildah from "textgen:$target")
    buildah run --isolation chroot "${given[@]}" "$container" -- "$command" "$@"
    buildah rm "$container" > /dev/null
  else
    [ -z "${entry:-}" ] || given+=(--entrypoint "$entry")
    "$builder" run --rm "${given[@]}" "textgen:$target" "$@"
  fi
}

chmod 777 "$work" # the image's user needs to write to it
run train "$work" --max_steps 3 --lstm_state_size 16 --sample_length 20
test -f "$work/job/state.json"
cmp "$work/job/model.safetensors" "$work/model/model.safetensors"
[ "$(stat -c %u "$work/job/state.json")" = 1000 ] || missing "the container does not run as its user"
[ "$(run sample "$work" /home/textgen/here/model/model.safetensors --length 40 --seed 1 | wc -m)" -gt 40 ]

cp tests/container/serve.py "$work"
entry=python3 run sample "$work" /home/textgen/here/serve.py /home/textgen/here/model/model.safetensors

# The user's home is empty, so this is all that the image adds to its base.
added=$(entry=du run sample "$work" --summarize --block-size=1000000 /opt/textgen | cut -f1)
echo "textgen:sample adds $added MB to its base"
[ "$added" -lt 250 ] || missing "textgen:sample adds $added MB to its base, and may add less than 250"

case $builder in
  buildah) buildah images --format '{{.Name}}:{{.Tag}} {{.Size}}' ;;
  *) "$builder" images textgen ;;
esac
