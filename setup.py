"""Packages of the distribution: `cutgate/`, and the parts at the top of the repository as `cutgate.<part>`.

The links to the parts in `cutgate/` are for type checkers and editors. The build does not follow them: a ZIP
download and a checkout on Windows have small text files in their place.
"""

from setuptools import find_packages, setup

PARTS = ("courier", "gateway", "jobs", "signing", "worker")

own = find_packages(include=["cutgate", "cutgate.*"], exclude=[f"cutgate.{part}*" for part in PARTS])
parts = [name for part in PARTS for name in (part, *(f"{part}.{folder}" for folder in find_packages(part)))]
setup(
    packages=[*own, *(f"cutgate.{name}" for name in parts)],
    package_dir={f"cutgate.{part}": part for part in PARTS},
)
