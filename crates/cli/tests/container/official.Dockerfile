# Stands in for GitHub's image (github.com/actions/runner, images/Dockerfile): its user with its groups and sudo, and
# in the runner's folder the stand-in for the runner, which is in the binary that comes later.
FROM localhost/system
RUN useradd --create-home --uid 1001 runner \
    && groupadd --gid 123 docker \
    && usermod --append --groups sudo,docker runner \
    && echo '%sudo ALL=(ALL:ALL) NOPASSWD:ALL' > /etc/sudoers
WORKDIR /home/runner
RUN mkdir bin \
    && printf '#!/bin/sh\nexec fleetfoot sim runner "$@" --root /home/runner\n' > bin/Runner.Listener \
    && chmod 755 bin/Runner.Listener \
    && chown -R runner:docker .
USER runner
