# Targets: `gateway` (no image libraries in it), `worker-cpu`, `worker-gpu`, `models`, which fills a volume with weights,
# and `all-in-one`, the whole service in one container. docs/images.md has the build arguments, what each image weighs, and how to build the same bytes again.
ARG BASE=python:3.11-slim-bookworm

# Where packages are installed into /opt/cutgate, by a pip that is not in there. Behind a mirror or a proxy, the secret
# `pip` is its pip.conf.
FROM ${BASE} AS build
ARG SOURCE_DATE_EPOCH=0
ENV SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_PYTHON=/opt/cutgate/bin/python \
    PATH=/opt/pip/bin:$PATH
RUN python -m venv /opt/pip && python -m venv --without-pip /opt/cutgate
COPY deploy/docker /docker

FROM build AS gateway-locked
COPY requirements/gateway.txt /requirements/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    pip install --no-compile --require-hashes --requirement /requirements/gateway.txt

# Cutgate itself, in a layer of its own: it changes often, and what it depends on seldom does.
FROM gateway-locked AS cutgate
COPY . /src
RUN pip install --no-compile --no-deps --no-build-isolation --prefix /opt/own /src \
    && PYTHONHASHSEED=0 python -m compileall -q -s /opt/own -p /opt/cutgate --invalidation-mode unchecked-hash /opt/own \
    && find /opt/own -depth -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

FROM gateway-locked AS gateway-packages
COPY --from=cutgate /opt/own /opt/own
RUN sh /docker/finish.sh cutgate.gateway cutgate.courier cutgate.jobs cutgate.signing

# What every image begins with: the user, and no pip, setuptools or ensurepip.
FROM ${BASE} AS base
ARG SOURCE_DATE_EPOCH=0
RUN rm -rf /usr/local/lib/python3.*/site-packages/* /usr/local/lib/python3.*/ensurepip /usr/local/bin/pip* \
    /usr/local/bin/wheel \
    && useradd --uid 10001 --user-group --no-log-init --home-dir /var/lib/cutgate --shell /usr/sbin/nologin cutgate \
    && install -d -o cutgate -g cutgate -m 0700 /var/lib/cutgate /var/lib/cutgate/blobs
COPY LICENSE NOTICE /usr/share/doc/cutgate/
ENV PATH=/opt/cutgate/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CUTGATE_BLOB_DIR=/var/lib/cutgate/blobs \
    CUTGATE_ALIVE_FILE=/tmp/alive
ARG BASE
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.version=${VERSION} \
    org.opencontainers.image.revision=${REVISION} \
    org.opencontainers.image.created=${CREATED} \
    org.opencontainers.image.base.name=${BASE}

FROM base AS gateway
COPY --from=gateway-packages /opt/cutgate /opt/cutgate
COPY --from=gateway-packages /opt/stdlib /
COPY --from=cutgate /opt/own /opt/cutgate
LABEL org.opencontainers.image.title="Cutgate gateway" \
    org.opencontainers.image.description="Background removal behind PICPIK's and Runware's protocols: the HTTP side" \
    org.opencontainers.image.licenses="Apache-2.0"
USER 10001:10001
ENV CUTGATE_HOST=0.0.0.0 \
    CUTGATE_PORT=8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["python", "-m", "cutgate.gateway.alive"]
CMD ["python", "-m", "cutgate.gateway", "serve"]

FROM build AS worker-cpu-packages
ARG WITH_ZOO=0
COPY requirements/worker-cpu.txt requirements/worker-cpu-zoo.txt /requirements/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    lock=worker-cpu; if [ "$WITH_ZOO" = 1 ]; then lock=worker-cpu-zoo; fi; \
    pip install --no-compile --require-hashes --requirement "/requirements/$lock.txt"
COPY --from=cutgate /opt/own /opt/own
RUN sh /docker/finish.sh cutgate.worker cutgate.jobs

# Folders of a worker: weights, and what is made of them, which may be thrown away at any time.
FROM base AS worker-base
RUN install -d -o cutgate -g cutgate -m 0755 /var/lib/cutgate/models
ENV CUTGATE_MODELS_DIR=/var/lib/cutgate/models \
    CUTGATE_CACHE_DIR=/tmp/cutgate/graphs \
    CUTGATE_DECODER_SANDBOX=require \
    REMBG_HOME=/var/lib/cutgate/models/rembg \
    NUMBA_CACHE_DIR=/tmp/cutgate/numba

# Fetches weights into /var/lib/cutgate/models, with npm, which the workers have no use for.
FROM build AS npm
COPY requirements/npm.txt /requirements/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    pip install --no-compile --require-hashes --prefix /opt/npm --requirement /requirements/npm.txt

FROM worker-base AS models
COPY --from=worker-cpu-packages /opt/cutgate /opt/cutgate
COPY --from=cutgate /opt/own /opt/cutgate
COPY --from=npm /opt/npm /opt/cutgate
LABEL org.opencontainers.image.title="Cutgate models" \
    org.opencontainers.image.description="Fetches the weights of Cutgate's workers into a volume" \
    org.opencontainers.image.licenses="Apache-2.0"
USER 10001:10001
HEALTHCHECK NONE
CMD ["python", "-m", "cutgate.worker", "models", "fetch"]

FROM models AS weights
ARG SOURCE_DATE_EPOCH=0
ARG WITH_WEIGHTS=1
USER 0
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc \
    if [ "$WITH_WEIGHTS" = 1 ]; then \
        HOME=/root python -m cutgate.worker models fetch; fi \
    && rm -rf /tmp/cutgate \
    && find /var/lib/cutgate/models -exec touch --date="@$SOURCE_DATE_EPOCH" {} +
USER 10001:10001

FROM worker-base AS worker-cpu
COPY --from=weights /var/lib/cutgate/models /var/lib/cutgate/models
COPY --from=worker-cpu-packages /opt/cutgate /opt/cutgate
COPY --from=worker-cpu-packages /opt/stdlib /
COPY --from=cutgate /opt/own /opt/cutgate
LABEL org.opencontainers.image.title="Cutgate worker" \
    org.opencontainers.image.description="Background removal behind PICPIK's and Runware's protocols: the networks, on CPUs" \
    org.opencontainers.image.licenses="Apache-2.0 AND MIT"
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["python", "-m", "cutgate.jobs.observe.alive"]
CMD ["python", "-m", "cutgate.worker", "run"]

FROM build AS worker-gpu-packages
COPY requirements/worker-gpu.txt /requirements/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    pip install --no-compile --require-hashes --requirement /requirements/worker-gpu.txt
COPY --from=cutgate /opt/own /opt/own
RUN sh /docker/finish.sh cutgate.worker cutgate.jobs

FROM worker-base AS worker-gpu
COPY --from=weights /var/lib/cutgate/models /var/lib/cutgate/models
COPY --from=worker-gpu-packages /opt/cutgate /opt/cutgate
COPY --from=worker-gpu-packages /opt/stdlib /
COPY --from=cutgate /opt/own /opt/cutgate
LABEL org.opencontainers.image.title="Cutgate GPU worker" \
    org.opencontainers.image.description="Background removal behind PICPIK's and Runware's protocols: the networks, on CUDA" \
    org.opencontainers.image.licenses="Apache-2.0 AND MIT"
ENV CUTGATE_DEVICE=gpu
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s CMD ["python", "-m", "cutgate.jobs.observe.alive"]
CMD ["python", "-m", "cutgate.worker", "run"]

FROM build AS all-packages
COPY requirements/app.txt /requirements/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    pip install --no-compile --require-hashes --requirement /requirements/app.txt
COPY --from=cutgate /opt/own /opt/own
RUN sh /docker/finish.sh cutgate.commands cutgate.gateway cutgate.courier cutgate.worker cutgate.jobs cutgate.signing

# `cutgate up` in one container, Valkey included; all that it keeps is in /data.
FROM worker-base AS all-in-one
RUN install -d -o cutgate -g cutgate -m 0700 /data
COPY --from=weights /var/lib/cutgate/models /var/lib/cutgate/models
COPY --from=all-packages /opt/cutgate /opt/cutgate
COPY --from=all-packages /opt/stdlib /
COPY --from=cutgate /opt/own /opt/cutgate
LABEL org.opencontainers.image.title="Cutgate" \
    org.opencontainers.image.description="Background removal behind PICPIK's and Runware's protocols: all of it, on CPUs" \
    org.opencontainers.image.licenses="Apache-2.0 AND MIT"
USER 10001:10001
# Commands find the service without being told: docker exec NAME cutgate env
ENV XDG_DATA_HOME=/data \
    CUTGATE_CACHE_DIR=/data/graphs
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s CMD ["python", "-m", "cutgate.gateway.alive"]
CMD ["cutgate", "up", "--host", "0.0.0.0"]
