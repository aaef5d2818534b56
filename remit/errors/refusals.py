"""Why a unit's bundle, its file or a registry's answer is refused: one class a reason, each of its own family.

Callers catch the families (:class:`BundleInvalid`, :class:`ReplyInvalid` …), whose remedies count; the codes tell the
reasons apart. They are not part of the package's face: whoever raises one imports this module.
"""

from __future__ import annotations

from remit.errors.bundles import BundleInvalid
from remit.errors.registry import (
    ContentMismatch,
    NotAUnit,
    RedirectRefused,
    RegistryDenied,
    RegistryFailed,
    RegistryTooSlow,
    ReplyInvalid,
    ReplyTooLarge,
)

__all__ = [
    "AddressInvalid",
    "AnswerDrips",
    "BlobMismatch",
    "BlobTooLong",
    "BundleChanged",
    "BundleUnnamed",
    "CredentialsRedirected",
    "CredentialsWanted",
    "DescriptorInvalid",
    "FileTooLarge",
    "FilesTooLarge",
    "FilesTooMany",
    "JsonMalformed",
    "LayerTooLarge",
    "LayersTooMany",
    "LayersUnnamed",
    "ListMalformed",
    "ListTooLong",
    "ListVersion",
    "ManifestKind",
    "ManifestMismatch",
    "MediaTypeRefused",
    "NameBelowFile",
    "NameForbidden",
    "NamesAlike",
    "PackedOtherwise",
    "PushedOtherwise",
    "RedirectInvalid",
    "RedirectUnprotected",
    "ReferrerElsewhere",
    "ReferrerTooLarge",
    "ReferrersTooMany",
    "ReplyCompressed",
    "ResumedElsewhere",
    "TagOtherwise",
    "TagsEndless",
    "TokenMissing",
    "TokenRefused",
    "UnitElsewhere",
    "UnitFileCut",
    "UnitFileEntries",
    "UnitFileEntryCut",
    "UnitFileMismatch",
    "UnitFileNameTwice",
    "UnitFileReferrer",
    "UnitFileReferrers",
    "UnitFileRewritten",
    "UnitFileTooLarge",
    "UnitFileUnnamed",
    "UploadMismatch",
    "UploadNowhere",
    "WriteRedirected",
]


class BundleChanged(BundleInvalid, code="RM-2010"):
    """A bundle in memory is not what its digest says."""


class BundleUnnamed(BundleInvalid, code="RM-2011"):
    """A bundle has no ``unit.toml``."""


class FilesTooMany(BundleInvalid, code="RM-2012"):
    """A bundle has more files than it may."""


class NameForbidden(BundleInvalid, code="RM-2013"):
    """A file's name leads elsewhere, or is beyond the character set."""


class FileTooLarge(BundleInvalid, code="RM-2014"):
    """One file of a bundle is too large."""


class FilesTooLarge(BundleInvalid, code="RM-2015"):
    """The files of a bundle are too large together."""


class NamesAlike(BundleInvalid, code="RM-2016"):
    """Two names differ in case only: some file systems hold one of them."""


class NameBelowFile(BundleInvalid, code="RM-2017"):
    """A name lies below another that is a file."""


class PackedOtherwise(BundleInvalid, code="RM-2018"):
    """A registry's unit is not packed as units are."""


class PushedOtherwise(BundleInvalid, code="RM-2019"):
    """What is pushed as a unit is not packed as units are."""


class UnitFileTooLarge(BundleInvalid, code="RM-2020"):
    """A ``.unit`` file is larger than any may be."""


class UnitFileUnnamed(BundleInvalid, code="RM-2021"):
    """A file holds no manifest: it is no ``.unit`` file."""


class UnitFileMismatch(BundleInvalid, code="RM-2022"):
    """A ``.unit`` file's contents are not what its manifest says."""


class UnitFileRewritten(BundleInvalid, code="RM-2023"):
    """A zip archive by another hand, though its contents are right."""


class UnitFileReferrers(BundleInvalid, code="RM-2024"):
    """More travels beside the bundle than may."""


class UnitFileReferrer(BundleInvalid, code="RM-2025"):
    """What travels beside the bundle is malformed."""


class UnitFileEntries(BundleInvalid, code="RM-2026"):
    """A file has more entries than any ``.unit`` file."""


class UnitFileCut(BundleInvalid, code="RM-2027"):
    """A file ends within the head of an entry."""


class UnitFileEntryCut(BundleInvalid, code="RM-2028"):
    """A file ends within an entry, or says that one is larger than any may be."""


class UnitFileNameTwice(BundleInvalid, code="RM-2029"):
    """A file holds a name twice."""


class ManifestMismatch(ContentMismatch, code="RM-2130"):
    """A manifest is not its digest."""


class BlobTooLong(ContentMismatch, code="RM-2131"):
    """A blob is longer than its manifest says."""


class BlobMismatch(ContentMismatch, code="RM-2132"):
    """A blob is not its digest."""


class UploadMismatch(ContentMismatch, code="RM-2133"):
    """What was sent is not the digest that was said."""


class TagsEndless(ReplyInvalid, code="RM-2134"):
    """The pages of a list of tags lead in a circle, or never end."""


class ReferrerElsewhere(ReplyInvalid, code="RM-2135"):
    """A referrer is about something else than it was listed for."""


class UploadNowhere(ReplyInvalid, code="RM-2136"):
    """An upload has no place to go."""


class ListTooLong(ReplyInvalid, code="RM-2137"):
    """The list of units is longer than it may be."""


class ListMalformed(ReplyInvalid, code="RM-2138"):
    """The list of units cannot be read."""


class ListVersion(ReplyInvalid, code="RM-2139"):
    """The list of units names what is no version."""


class MediaTypeRefused(ReplyInvalid, code="RM-2140"):
    """A media type that a registry of units does not keep."""


class JsonMalformed(ReplyInvalid, code="RM-2141"):
    """An answer is not JSON, nests too deep, or is of another shape."""


class ManifestKind(ReplyInvalid, code="RM-2142"):
    """A manifest of another kind or version than an OCI image's."""


class DescriptorInvalid(ReplyInvalid, code="RM-2143"):
    """A digest that is none, or a size that is none."""


class AddressInvalid(ReplyInvalid, code="RM-2144"):
    """An address that a registry gives is none."""


class RedirectInvalid(ReplyInvalid, code="RM-2145"):
    """A redirect to what is no address."""


class ReplyCompressed(ReplyInvalid, code="RM-2146"):
    """An answer is compressed that was asked for plain: a bomb, perhaps."""


class TokenMissing(ReplyInvalid, code="RM-2147"):
    """A token service answers without a token."""


class ReferrersTooMany(ReplyTooLarge, code="RM-2148"):
    """More refers to a unit than is looked at."""


class ReferrerTooLarge(ReplyTooLarge, code="RM-2149"):
    """A referrer is larger than any may be."""


class ResumedElsewhere(RegistryFailed, code="RM-2150"):
    """A download that was taken up goes on elsewhere."""


class LayersUnnamed(NotAUnit, code="RM-2151"):
    """The files of a manifest have no names, or one twice."""


class LayersTooMany(NotAUnit, code="RM-2152"):
    """A manifest names more than a unit may hold."""


class LayerTooLarge(NotAUnit, code="RM-2153"):
    """A manifest names a file that is larger than a unit's may be."""


class UnitElsewhere(NotAUnit, code="RM-2154"):
    """A unit is pushed where another belongs."""


class TagOtherwise(NotAUnit, code="RM-2155"):
    """A unit is pushed under another version than its own."""


class WriteRedirected(RedirectRefused, code="RM-2156"):
    """A registry redirects what is written."""


class CredentialsRedirected(RedirectRefused, code="RM-2157"):
    """A registry sends the client elsewhere with its credentials."""


class RedirectUnprotected(RedirectRefused, code="RM-2158"):
    """A registry redirects to where nothing protects the way."""


class CredentialsWanted(RegistryDenied, code="RM-2159"):
    """A registry wants credentials, and there are none for it."""


class TokenRefused(RegistryDenied, code="RM-2160"):
    """A token service refuses."""


class AnswerDrips(RegistryTooSlow, code="RM-2161"):
    """An answer comes, and takes longer than any may."""


class UploadsTooMany(RegistryFailed, code="RM-2162", remedy="finish or cancel some, or come again in ten minutes"):
    """A writer, or all together, have more uploads open than a registry keeps."""
