"""Puts the folder conf/ into the package as dfwe/configuration; all else is said in pyproject.toml.

`packages.find` there has no way to add a folder from elsewhere.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["dfwe*"]), "dfwe.configuration"],
    package_dir={"dfwe.configuration": "conf"},
    package_data={
        "dfwe": ["py.typed"],
        "dfwe.configuration": ["**/*.yaml"],
        "dfwe.report.html": ["templates/*"],
    },
)
