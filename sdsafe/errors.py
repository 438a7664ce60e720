"""The whole exception tree of sdsafe, in one place.

::

    SdsafeError                     code, hint
    ├── ConfigurationError          what the operator must set or repair
    │   ├── PolicyFormatError       file, key path, expected, found
    │   ├── PluginError             a plug-in is missing, broken or of the wrong shape
    │   └── MissingExtraError       an optional dependency is not installed
    ├── RequestError                a request that cannot be carried out as asked
    ├── RefusedError                policy said no; carries the Decision
    │   ├── PromptRefusedError      before anything was generated
    │   ├── InputRefusedError       because of a picture that would go in
    │   ├── OutputRefusedError      after generation, before release
    │   ├── ExportRefusedError      the file, or what it is for, is not let out
    │   └── ObligationError         policy demands what cannot be done, or was not shown to be done
    ├── ReviewError                 a case cannot be decided like that, or does not exist
    ├── GenerationError             the model could not produce an image
    │   └── CancelledError          the caller asked to stop; there is no asset
    ├── WatermarkError              a mark was not written, or not read back
    ├── ManifestError               a manifest could not be built, written or read back
    ├── MetadataError               XMP, IPTC or AIGC metadata could not be written, or not be read safely
    ├── SigningError                the signer refused, expired or answered nonsense
    ├── LedgerError                 the ledger is locked, damaged or inconsistent
    ├── RepositoryError             the manifest repository is damaged or lacks a record
    ├── AssetError                  bytes that are not a picture we can read, or a path we cannot write
    └── VerificationError           verify() found less than was required; carries the Report

Every message says what happened, where, and what to do next.
No message ever holds a prompt, a key, or a local path that the user did not give.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sdsafe.core.decisions import Decision
    from sdsafe.core.findings import CheckResult
    from sdsafe.core.report import Report

__all__ = [
    "AssetError",
    "CancelledError",
    "ConfigurationError",
    "ExportRefusedError",
    "GenerationError",
    "InputRefusedError",
    "LedgerError",
    "ManifestError",
    "MetadataError",
    "MissingExtraError",
    "ObligationError",
    "OutputRefusedError",
    "PluginError",
    "PolicyFormatError",
    "PromptRefusedError",
    "RefusedError",
    "RepositoryError",
    "RequestError",
    "ReviewError",
    "SdsafeError",
    "SigningError",
    "VerificationError",
    "WatermarkError",
]


class SdsafeError(Exception):
    """Base of every error that sdsafe raises on purpose.

    Attributes:
        code: A stable, dotted identifier such as ``"signing.expired"``.
        hint: One sentence that says what to do next; may be empty.
    """

    default_code = "sdsafe.error"

    def __init__(self, message: str, *, code: str | None = None, hint: str = "") -> None:
        """Keep the message, its stable code and the hint."""
        super().__init__(message)
        self.code = code or self.default_code
        self.hint = hint


class ConfigurationError(SdsafeError):
    """Something the operator must set or repair before anything can run."""

    default_code = "configuration.invalid"


class PolicyFormatError(ConfigurationError):
    """A policy pack does not load; names file, key path, what was expected and what was found."""

    default_code = "policy.format"

    def __init__(self, *, file: str, key: str, expected: str, found: str, hint: str = "") -> None:
        """Build the message from its four parts, so that none can be forgotten."""
        super().__init__(f"{file}: {key or '(top level)'}: expected {expected}, found {found}", hint=hint)
        self.file = file
        self.key = key
        self.expected = expected
        self.found = found


class PluginError(ConfigurationError):
    """A plug-in is not registered, fails to import, or does not fill its slot."""

    default_code = "plugin.invalid"


class MissingExtraError(ConfigurationError):
    """An optional dependency is not installed; the hint is the command that installs it."""

    default_code = "plugin.missing-extra"

    def __init__(self, what: str, *, extra: str, detail: str = "") -> None:
        """Name what is needed and the extra that brings it."""
        suffix = f" ({detail})" if detail else ""
        super().__init__(
            f"{what} needs an optional dependency that is not usable here{suffix}",
            hint=f"pip install 'sdsafe[{extra}]'",
        )
        self.extra = extra


class RequestError(SdsafeError):
    """A request that cannot be carried out as asked: a size, a seed, a parameter, a model name."""

    default_code = "request.invalid"


class RefusedError(SdsafeError):
    """Policy refused. ``decision`` says by which rules and why, ``checks`` what was looked at."""

    default_code = "refused"

    def __init__(
        self,
        message: str,
        *,
        decision: Decision,
        checks: tuple[CheckResult, ...] = (),
        code: str | None = None,
        hint: str = "",
    ) -> None:
        """Keep the decision and the check results it was made from."""
        super().__init__(message, code=code, hint=hint)
        self.decision = decision
        self.checks = checks


class PromptRefusedError(RefusedError):
    """The request was refused before anything was generated."""

    default_code = "refused.prompt"


class InputRefusedError(RefusedError):
    """A picture that would go in was refused; nothing was generated."""

    default_code = "refused.input"


class OutputRefusedError(RefusedError):
    """An image was generated and refused; it was not released."""

    default_code = "refused.output"


class ExportRefusedError(RefusedError):
    """The file, or the use that was declared for it, was refused; where that is known early, before generation."""

    default_code = "refused.export"


class ObligationError(RefusedError):
    """Policy obliges to something that cannot be done here, or that the finished file does not show."""

    default_code = "refused.obligation"


class ReviewError(SdsafeError):
    """A case of the review queue does not exist, is closed, or cannot be decided like that."""

    default_code = "review.failed"


class GenerationError(SdsafeError):
    """The model could not be loaded or did not produce an image."""

    default_code = "generation.failed"


class CancelledError(GenerationError):
    """Generation was cancelled on request; no asset exists."""

    default_code = "generation.cancelled"


class WatermarkError(SdsafeError):
    """A watermark was not written, or did not read back from the finished bytes."""

    default_code = "watermark.failed"


class ManifestError(SdsafeError):
    """A C2PA manifest could not be defined, written or read back."""

    default_code = "manifest.failed"


class MetadataError(SdsafeError):
    """XMP, IPTC or AIGC metadata could not be written, or not be read safely."""

    default_code = "metadata.failed"


class SigningError(SdsafeError):
    """The signing credential is missing, expired, locked or does not fit."""

    default_code = "signing.failed"


class LedgerError(SdsafeError):
    """The ledger is locked, damaged or inconsistent."""

    default_code = "ledger.failed"


class RepositoryError(SdsafeError):
    """The manifest repository is damaged, or does not hold what was asked for."""

    default_code = "repository.failed"


class AssetError(SdsafeError):
    """Bytes that are not a picture we can read safely, or a place we cannot read or write."""

    default_code = "asset.unreadable"


class VerificationError(SdsafeError):
    """``verify()`` found less than was required. ``report`` holds everything that was seen."""

    default_code = "verification.failed"

    def __init__(self, message: str, *, report: Report, hint: str = "") -> None:
        """Keep the report that explains the verdict."""
        super().__init__(message, code=f"verification.{report.verdict.value}", hint=hint)
        self.report = report
