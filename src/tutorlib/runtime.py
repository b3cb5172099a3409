"""Where a chapter runs and how large: the setup line and the presets."""

import os
import platform
from contextlib import contextmanager
from importlib.metadata import version

import tutorlib

PRESETS = ("smoke", "laptop", "paper")


def preset_name():
    """Name of the preset this process runs: the variable TUTORLIB_PRESET, by default `laptop`.

    Raises ValueError when the variable names no preset.
    """
    name = os.environ.get("TUTORLIB_PRESET", "laptop")
    if name not in PRESETS:
        raise ValueError(f"TUTORLIB_PRESET is {name!r}; allowed are {', '.join(PRESETS)}")
    return name


def preset(**configs):
    """The configuration to run: one of `smoke`, `laptop` and `paper`, all three given.

    `smoke` walks every code path in seconds and proves nothing. `laptop` is what the book
    publishes. `paper` is the paper's own setting.
    """
    if sorted(configs) != sorted(PRESETS):
        raise ValueError(f"preset() got {sorted(configs)}; it needs exactly {sorted(PRESETS)}")
    return configs[preset_name()]


def versions():
    """Installed versions of what decides a chapter's numbers, by package name."""
    packages = ("jax", "flax", "optax", "numpy", "plotly")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


def device():
    """The devices JAX computes on, in words: `1 x cpu`, `1 x NVIDIA H100`."""
    import jax

    devices = jax.devices()
    return f"{len(devices)} x {devices[0].device_kind}"


def setup():
    """Make every CPU core a JAX device; print the devices, the versions and the preset in one line.

    On one device the small models of this book keep one core busy; `tutorlib.train` shares its
    runs out over all devices. Where JAX has already started, its devices stay as they are.
    """
    import jax

    try:
        jax.config.update("jax_num_cpu_devices", os.cpu_count())
    except RuntimeError:
        pass  # JAX refuses once it runs: a second call of the setup cell, say.
    found = versions()
    print(
        f"tutorlib {tutorlib.__version__} on {device()} | preset {preset_name()} | "
        + ", ".join(f"{name} {found[name]}" for name in ("python", "jax", "flax", "optax"))
    )


@contextmanager
def float64():
    """Let JAX compute in double precision inside a `with` block.

    jax.enable_x64 does this too, but is younger than Colab's jax.
    """
    import jax

    if jax.config.jax_enable_x64:
        yield
        return
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", False)
