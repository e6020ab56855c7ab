"""Builds both images from the present files, and starts each once as on the cluster."""

import subprocess

from lifecycle import InputError

TARGETS = ("serve", "monitor")
SMOKE = ("python", "-m", "lifecycle", "smoke", "--url", "http://localhost:9000", "--seconds", "60")
# As the pods: nothing can be written but the log and a temporary folder, and nothing can be gained.
CONTAINED = (
    *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    *("--tmpfs", "/tmp:mode=1777", "--tmpfs", "/predictions:mode=1777"),  # noqa: S108 - of the container
    *("--env", "LOG_KEY=of-this-start-alone"),  # for `log: hash` of a feature
)
LONGEST = 2_000  # characters of what a container said, from its end


def _docker(*arguments: str) -> str:
    """Run docker; raises InputError with what it said."""
    try:
        done = subprocess.run(  # noqa: S603
            ["docker", *arguments],  # noqa: S607
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise InputError("docker is not installed; install it, or leave the images to GitHub.") from error
    if done.returncode:
        said = " ".join(done.stdout.split())[-LONGEST:]
        raise InputError(f"`docker {' '.join(arguments[:2])}` failed: {said}")
    return done.stdout.strip()


def _tag(target: str) -> str:
    return f"started-once-{target}"


def _serve() -> None:
    """Start the service, and let it answer its model's golden rows; raises InputError with its log if it does not."""
    container = _docker("run", "--detach", *CONTAINED, _tag("serve"))
    try:
        _docker("exec", container, *SMOKE)
    except InputError as error:
        log = " ".join(_docker("logs", container).split())[-LONGEST:]
        raise InputError(f"The image serve does not answer as at training: {error} Its log ends with: {log}") from error
    finally:
        _docker("rm", "--force", container)


def run(serving: str) -> str:
    """Build both images, with the lock file named `serving` in the first, and start them; nothing is pushed."""
    for target in TARGETS:
        argument = ("--build-arg", f"SERVING={serving}") if target == "serve" else ()
        _docker("build", "--target", target, *argument, "--tag", _tag(target), ".")
    _serve()
    try:
        _docker("run", "--rm", *CONTAINED, _tag("monitor"))
    except InputError as error:
        raise InputError(f"The image monitor does not run: {error}") from error
    return "serve answers its golden rows as at training, and monitor runs"
