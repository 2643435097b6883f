"""Runs the buildspec of an image build as CodeBuild would, against moto.

aws and jq are the real programs. docker and curl are not there to be had and only write down how they were
called. Standard input is a JSON object: `buildspec`, `environment` (the project's variables), `endpoint` and
`region`. Prints the calls of docker, one a line.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import yaml

NEWEST = "2.336.0"

DOCKER = """#!/bin/sh
echo "docker $*" >>"$CALLS"
case "$*" in *--password-stdin*) read -r password && test -n "$password" ;; esac
"""

# GitHub's link to the newest release leads to its page.
CURL = f"""#!/bin/sh
echo "https://github.com/actions/runner/releases/tag/v{NEWEST}"
"""


def main():
    task = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name, text in [("docker", DOCKER), ("curl", CURL)]:
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        calls = folder / "calls"
        path = [str(folder), str(pathlib.Path(sys.executable).parent), os.environ["PATH"]]
        environment = {
            "AWS_ACCESS_KEY_ID": "moto",
            "AWS_SECRET_ACCESS_KEY": "moto",
            "AWS_DEFAULT_REGION": task["region"],
            "AWS_ENDPOINT_URL": task["endpoint"],
            "CALLS": str(calls),
            "HOME": str(folder),
            "PATH": ":".join(path),
            **task["environment"],
        }
        phases = yaml.safe_load(task["buildspec"])["phases"]
        for command in phases["build"]["commands"]:
            ended = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, stdout=sys.stderr)
            if ended.returncode != 0:
                sys.exit(f"the build ended with {ended.returncode}")
        print(calls.read_text(), end="")


main()
