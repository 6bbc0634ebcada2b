namespace Forebay.Core;

/// <summary>What went wrong, in terms every edge can translate (see docs/ERRORS.md for the table).</summary>
public enum ErrorKind
{
    /// <summary>The object, prefix or mount point does not exist.</summary>
    NotFound,

    /// <summary>The under-store no longer has the version the caller asked for.</summary>
    StaleVersion,

    /// <summary>The under-store or the endpoint refuses these credentials.</summary>
    AccessDenied,

    /// <summary>A write reached something that only reads.</summary>
    ReadOnly,

    /// <summary>The operation is not implemented for this under-store or edge.</summary>
    NotSupported,

    /// <summary>The range lies outside the object.</summary>
    InvalidRange,

    /// <summary>An argument from outside (key, option, query) cannot be used.</summary>
    InvalidArgument,

    /// <summary>A limit was reached; the caller should slow down and try again.</summary>
    Throttled,

    /// <summary>A deadline passed before the under-store answered.</summary>
    Timeout,

    /// <summary>The under-store cannot be reached or keeps failing.</summary>
    Unavailable,

    /// <summary>Bytes did not match their checksum or length, also after a retry.</summary>
    Corrupt,

    /// <summary>The caller went away.</summary>
    Canceled,

    /// <summary>A cache tier has no room. Never surfaces: reads are served through.</summary>
    NoSpace,
}
