"""The language server process: light, and free of torch."""


def package_version() -> str:
    """The installed version; a checkout that is only on the path has none."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("infill-ls")
    except PackageNotFoundError:
        return "0+source"
