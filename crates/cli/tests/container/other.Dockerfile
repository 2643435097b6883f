# An image of somebody else's with a runner in it, made a runner image by the last two lines.
FROM localhost/system
ARG TARGETARCH
RUN useradd --uid 2000 --create-home ci \
    && mkdir -p /opt/runner/bin \
    && printf '#!/bin/sh\nexec fleetfoot sim runner "$@" --root /opt/runner\n' > /opt/runner/bin/Runner.Listener \
    && chmod 755 /opt/runner/bin/Runner.Listener \
    && chown -R ci /opt/runner
ENV FLEETFOOT_RUNNER_DIR=/opt/runner FLEETFOOT_RUNNER_USER=ci
COPY --chmod=0755 fleetfoot-${TARGETARCH} /usr/local/bin/fleetfoot
ENTRYPOINT ["/usr/local/bin/fleetfoot", "agent"]
