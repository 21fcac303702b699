"""The `edgewise` command."""

__all__: list[str] = []
