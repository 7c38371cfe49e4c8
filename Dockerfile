# textgen-train for a GPU on Vertex AI, or any machine with docker. docs/container.md shows how to build and run it.
#
#   --target train    trains; --build-arg TENSORFLOW=cpu omits CUDA
#   --target sample   samples from a trained model, or serves it with --entrypoint textgen; without TensorFlow

ARG BASE_IMAGE=python:3.12-slim

FROM ${BASE_IMAGE} AS base
SHELL ["/bin/sh", "-eu", "-c"]
# The machine, not the image, provides the driver's libraries there.
ENV PATH=/opt/textgen/bin:/usr/local/nvidia/bin:${PATH} \
    LD_LIBRARY_PATH=/usr/local/nvidia/lib:/usr/local/nvidia/lib64 \
    PYTHONUNBUFFERED=1 \
    TEXTGEN_CACHE=/home/textgen/cache \
    TEXTGEN_STATE=/home/textgen/state
RUN useradd --create-home --uid 1000 textgen; \
    python3 -m venv /opt/textgen
LABEL org.opencontainers.image.title="textgen" \
      org.opencontainers.image.description="Train an LSTM on your own text, watch it learn, and let it write" \
      org.opencontainers.image.licenses="Apache-2.0"

FROM base AS wheel
COPY requirements/build.txt /build/requirements.txt
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --no-deps --require-hashes -r /build/requirements.txt
COPY pyproject.toml README.md LICENSE /build/
COPY src /build/src
COPY configs /build/configs
COPY data /build/data
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist /build

FROM base AS sample
COPY requirements/sample.txt /opt/textgen/requirements.txt
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --no-deps --require-hashes -r /opt/textgen/requirements.txt
COPY --from=wheel /dist /opt/textgen/dist
RUN pip install --no-cache-dir --no-deps /opt/textgen/dist/*.whl
USER 1000
WORKDIR /home/textgen
ENTRYPOINT ["textgen-sample"]

FROM base AS train
ARG TENSORFLOW=gpu
COPY requirements/base.txt requirements/gpu.txt /opt/textgen/
RUN --mount=type=cache,target=/root/.cache/pip \
    case "${TENSORFLOW}" in gpu) lock=gpu ;; cpu) lock=base ;; *) echo "TENSORFLOW must be gpu or cpu, got ${TENSORFLOW}" >&2; exit 2 ;; esac; \
    pip install --no-deps --require-hashes -r "/opt/textgen/${lock}.txt"
COPY --from=wheel /dist /opt/textgen/dist
RUN pip install --no-cache-dir --no-deps /opt/textgen/dist/*.whl
USER 1000
WORKDIR /home/textgen
ENTRYPOINT ["textgen-train"]
