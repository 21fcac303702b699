"""Settings: dataclasses from TOML and `--set`, checked by pydantic; imports no torch."""
