"""A contract for `lint-imports`; the contracts themselves are in `.importlinter`."""
