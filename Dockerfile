# An image that holds Python, the service, and nothing that they can do without.
#
# The last stage copies and runs no shell, so RUNTIME may be a base that has none; it needs the Python of BASE, in the
# same place. Everything comes from the lock file, checked by its hashes. Nothing is written at run time but the journal.

ARG BASE=python:3.12-slim-bookworm
ARG RUNTIME=${BASE}

FROM ${BASE} AS build
RUN python3 -m venv /opt/pexservice
ENV PATH=/opt/pexservice/bin:$PATH
WORKDIR /build
COPY requirements/image.txt requirements/
RUN pip install --no-cache-dir --no-compile --require-hashes --only-binary :all: -r requirements/image.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
# Bytecode is made here, since nothing can be written later and a start should not compile. It is not compared with the
# sources' times, which some builders set anew.
RUN pip install --no-cache-dir --no-compile --no-deps --no-build-isolation . \
 && pip uninstall --quiet --yes flit_core setuptools pip \
 && find /opt/pexservice -name '*.c' -delete -o -name '*.p[xy][xd]' -delete \
 && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/pexservice/lib \
 && mkdir /data

FROM ${RUNTIME}
LABEL org.opencontainers.image.title="pexservice" \
      org.opencontainers.image.description="A durable, exact walk along the Fibonacci numbers, over HTTP" \
      org.opencontainers.image.licenses="MIT"
USER 0
# The usual Python images come without bytecode of the standard library; a base that has it loses nothing.
RUN ["python3", "-c", \
     "import compileall, os; compileall.compile_dir(os.path.dirname(os.__file__), maxlevels=2, quiet=2)"]
COPY --from=build /opt/pexservice /opt/pexservice
COPY --from=build --chown=65532:65532 /data /var/lib/pexservice
ENV PATH=/opt/pexservice/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PEXSERVICE_HOST=0.0.0.0 \
    PEXSERVICE_DATA_DIR=/var/lib/pexservice
# By number, so that Kubernetes can tell that it is not root; no account goes with it, and none is needed.
USER 65532:65532
VOLUME /var/lib/pexservice
EXPOSE 8081
STOPSIGNAL SIGTERM
# Healthy is what takes steps. `status` watches for a second, and may wait for a busy service.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["pexservice", "status"]
ENTRYPOINT ["pexservice"]
CMD ["serve"]
