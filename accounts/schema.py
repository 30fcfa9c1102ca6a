"""What every operation says of itself in the OpenAPI document: a summary, and the scope it needs."""

from __future__ import annotations

import inspect
from typing import Any

from drf_spectacular.openapi import AutoSchema


class OperationSchema(AutoSchema):
    """Adds to what ``extend_schema`` was told: nothing about scopes is written down twice."""

    def get_summary(self) -> str | None:
        """The summary, or the first sentence of the view's docstring."""
        given = super().get_summary()
        sentence, _dot, _rest = (inspect.getdoc(type(self.view)) or "").partition(".")
        return given or sentence

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """The operation with ``x-required-scopes``: what permissions ask for; none: any live key."""
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is not None:
            scope = getattr(self.view, "scopes", {}).get(self.method)
            also = [getattr(each, "scope", None) for each in self.view.permission_classes]
            operation["x-required-scopes"] = [str(each) for each in (scope, *also) if each]
        return operation
