"""`may_import`: what a folder may import besides the standard library; everything else is refused.

The contracts that import-linter has itself list what is forbidden, so that they miss the package
that somebody uses next.
"""

from __future__ import annotations

import sys

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.application import contract_utils


class MayImportContract(Contract):
    """Options: `modules` (folders or files that are checked), `project` (what of this project they
    may import besides each other), `packages` (which other packages), `any_package` (all of them),
    `ignore_imports` (single exceptions, `importer -> imported`)."""

    type_name = "may_import"

    modules = fields.ListField(subfield=fields.StringField())
    project = fields.ListField(subfield=fields.StringField(), required=False)
    packages = fields.ListField(subfield=fields.StringField(), required=False)
    any_package = fields.BooleanField(required=False, default=False)
    ignore_imports = fields.SetField(subfield=fields.ImportExpressionField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Looks at direct imports only: what may be imported has a contract of its own."""
        contract_utils.remove_ignored_imports(
            graph=graph,
            ignore_imports=self.ignore_imports,
            unmatched_alerting=contract_utils.AlertLevel.ERROR,
        )
        for name in (*self.modules, *(self.project or ())):
            if name not in graph.modules:
                raise ValueError(f"there is no module {name}")
        roots = {name.partition(".")[0] for name in self.session_options["root_packages"]}
        refused = [
            detail
            for importer in sorted(graph.modules)
            if _within(importer, self.modules)
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if not self._may(imported, roots)
            for detail in graph.get_import_details(importer=importer, imported=imported)
        ]
        return ContractCheck(kept=not refused, metadata={"refused": refused})

    def _may(self, imported: str, roots: set[str]) -> bool:
        root = imported.partition(".")[0]
        if root in roots:
            return _within(imported, [*self.modules, *(self.project or ())])
        return (
            self.any_package
            or root in sys.stdlib_module_names
            or _within(imported, self.packages or ())
        )

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Prints each import that is refused, with its line."""
        for detail in check.metadata["refused"]:
            output.print_error(
                f"{detail['importer']} may not import {detail['imported']} "
                f"(line {detail['line_number']}): {detail['line_contents']}"
            )


def _within(module: str, folders: list[str] | tuple[str, ...]) -> bool:
    return any(module == folder or module.startswith(f"{folder}.") for folder in folders)
