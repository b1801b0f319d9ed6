FROM python:3.13-slim AS build
WORKDIR /build
RUN python -m venv /opt/hearth
COPY requirements.txt ./
RUN /opt/hearth/bin/pip install --no-cache-dir --require-hashes -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY app ./app
COPY solver ./solver
COPY migrations ./migrations
RUN /opt/hearth/bin/pip install --no-cache-dir --no-build-isolation --no-deps .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --user-group --home-dir /data hearth && install -d -o hearth -g hearth /data
COPY --from=build /opt/hearth /opt/hearth
# Everything that Hearth writes goes to /data and /tmp, so that the rest may be read-only.
ENV PATH=/opt/hearth/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/tmp/numba \
    HEARTH_DATA_DIR=/data \
    HEARTH_HOST=0.0.0.0 \
    HEARTH_PORT=8080
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"HEARTH_PORT\"]}/livez', timeout=4)"]
CMD ["hearth", "serve"]
