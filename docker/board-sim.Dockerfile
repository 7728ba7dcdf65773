# A simulated board: a real SSH server before the real agent, with a virtual NPU. No Django, no database, no secrets.
FROM python:3.11-slim AS packages
COPY requirements.txt ./
RUN python -m venv /venv && grep -E "^(numpy|onnx|onnxruntime|paramiko|protobuf|flatbuffers|ml-dtypes|typing-extensions|packaging|bcrypt|cffi|cryptography|invoke|pycparser|pynacl)==" requirements.txt > board.txt \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check -r board.txt

FROM python:3.11-slim
RUN useradd --uid 10002 --create-home board && install -d -o board /data
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=packages /venv /venv
COPY boardagent ./boardagent
COPY simboard ./simboard
COPY docker/healthy.py ./healthy.py
USER board
HEALTHCHECK --start-period=10s CMD ["python", "healthy.py", "ssh", "2222"]
CMD ["python", "-m", "simboard", "--dir", "/data", "--port", "2222", "--sshd", "paramiko", "--quirk", "transpose-over-4d"]
